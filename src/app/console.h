// What a program says: results on standard output from one worker.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace pipedream::detail {

// Prints on one worker and is silent on the others. Every text goes out at once, since launchers pass on what they get.
class Console {
 public:
  explicit Console(bool speaks) : speaks_(speaks) {}

  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) const {
    if (speaks_) write(fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  static void write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  bool speaks_;
};

// "0:42", "1:03:20"
std::string format_duration(double seconds);
// "12,345"
std::string format_count(double count);

}  // namespace pipedream::detail

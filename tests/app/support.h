// What the tests of programs share: a scratch folder, and the text that a call prints.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "pipedream/run.h"

namespace pipedream::test {

// A new folder, removed with what is in it.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Outcome {
  int exit_code = 0;
  std::string out;
  std::string error;
};

// run() with these words, in this process.
Outcome run_words(const Application& application, const std::vector<std::string>& words);

// A shell command.
Outcome run_shell(const std::string& command);

std::string read_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);
std::vector<std::string> lines_of(const std::string& text);

// How often `part` occurs in `text`.
int occurrences(const std::string& text, const std::string& part);

}  // namespace pipedream::test

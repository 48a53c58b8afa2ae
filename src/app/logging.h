// Logs with the rank of the worker that writes them.
#pragma once

#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace pipedream::detail {

// Logs to standard error as "[rank R] level: text" while it lives; the former default logger is put back afterwards.
class LoggingScope {
 public:
  explicit LoggingScope(const std::string& level);
  ~LoggingScope();
  LoggingScope(const LoggingScope&) = delete;
  LoggingScope& operator=(const LoggingScope&) = delete;

 private:
  std::shared_ptr<spdlog::logger> former_;
};

// The rank that logs of this thread carry; "-" on threads that never said one.
void set_log_rank(int rank);

}  // namespace pipedream::detail

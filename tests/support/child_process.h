// A program that a test starts, watches and ends: mpirun with its ranks, mostly.
//
// Every wait has a limit; the destructor ends the program and all it started. For one thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace pipedream::testing {

class ChildProcess {
 public:
  // command[0] is looked for in PATH. Its standard output and error are kept together.
  explicit ChildProcess(const std::vector<std::string>& command);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Reads until the output has `count` lines that begin with `start`; returns them, or fewer when the time is over or
  // the program has ended.
  std::vector<std::string> lines(const std::string& start, std::size_t count, std::chrono::milliseconds limit);

  // Waits for the end; the exit code, 128 + signal when one ended it, nothing when the time is over.
  std::optional<int> wait(std::chrono::milliseconds limit);

  // What it has written so far.
  const std::string& output() const { return output_; }

 private:
  bool read(std::chrono::milliseconds limit);

  pid_t pid_ = -1;
  int pipe_ = -1;
  std::string output_;
  std::optional<int> exit_code_;
};

}  // namespace pipedream::testing

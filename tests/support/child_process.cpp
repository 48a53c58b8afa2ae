#include "support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace pipedream::testing {

namespace {

using Clock = std::chrono::steady_clock;

std::chrono::milliseconds left(Clock::time_point end) {
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()),
                  std::chrono::milliseconds(0));
}

[[noreturn]] void execute(const std::vector<std::string>& command, int output) {
  // A group of its own, so that all of it can be ended at once.
  setpgid(0, 0);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) execute(command, ends[1]);
  close(ends[1]);
  pipe_ = ends[0];
}

ChildProcess::~ChildProcess() {
  if (!exit_code_) {
    kill(-pid_, SIGTERM);
    if (!wait(std::chrono::seconds(5))) {
      kill(-pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  close(pipe_);
}

// Takes in what is there, or comes within the limit; returns false when nothing did.
bool ChildProcess::read(std::chrono::milliseconds limit) {
  pollfd watched{pipe_, POLLIN, 0};
  if (poll(&watched, 1, static_cast<int>(limit.count())) <= 0) return false;
  char buffer[4096];
  const ssize_t size = ::read(pipe_, buffer, sizeof(buffer));
  if (size <= 0) return false;
  output_.append(buffer, static_cast<std::size_t>(size));
  return true;
}

std::vector<std::string> ChildProcess::lines(const std::string& start, std::size_t count,
                                             std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (true) {
    std::vector<std::string> found;
    std::istringstream text(output_);
    // A line without its end may still grow.
    for (std::string line; std::getline(text, line) && !text.eof();) {
      if (line.starts_with(start)) found.push_back(line);
    }
    if (found.size() >= count || !read(left(end))) return found;
  }
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!exit_code_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    if (Clock::now() >= end) return std::nullopt;
    // An ended program's pipe is at its end and would not make poll wait.
    if (!read(std::chrono::milliseconds(10))) usleep(2000);
  }
  while (read(std::chrono::milliseconds(0))) {
  }
  return exit_code_;
}

}  // namespace pipedream::testing

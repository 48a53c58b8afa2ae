#include "support.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "support/scratch_folder.h"

namespace pipedream::testing {
namespace {

// Sends a file descriptor to a file while it lives.
class Redirection {
 public:
  Redirection(std::FILE* stream, const std::string& path) : stream_(stream), former_(dup(fileno(stream))) {
    std::fflush(stream);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, fileno(stream));
    close(file);
  }
  ~Redirection() {
    std::fflush(stream_);
    dup2(former_, fileno(stream_));
    close(former_);
  }
  Redirection(const Redirection&) = delete;
  Redirection& operator=(const Redirection&) = delete;

 private:
  std::FILE* stream_;
  int former_;
};

}  // namespace

Outcome run_words(const Application& application, const std::vector<std::string>& words) {
  std::vector<std::string> storage{application.name};
  storage.insert(storage.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& word : storage) argv.push_back(word.data());
  argv.push_back(nullptr);
  const ScratchFolder folder;
  Outcome outcome;
  {
    const Redirection out(stdout, folder / "out");
    const Redirection error(stderr, folder / "error");
    outcome.exit_code = run(static_cast<int>(storage.size()), argv.data(), application);
  }
  outcome.out = read_text(folder / "out");
  outcome.error = read_text(folder / "error");
  UNSCOPED_INFO(outcome.out << outcome.error);
  return outcome;
}

Outcome run_shell(const std::string& command) {
  const ScratchFolder folder;
  const int status = std::system((command + " >" + (folder / "out") + " 2>" + (folder / "error")).c_str());
  Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_text(folder / "out"), read_text(folder / "error")};
  UNSCOPED_INFO(command << "\n" << outcome.out << outcome.error);
  return outcome;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

int occurrences(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

}  // namespace pipedream::testing

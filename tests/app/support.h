// What the tests of programs share: the text that a call prints.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pipedream/run.h"

namespace pipedream::testing {

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

}  // namespace pipedream::testing

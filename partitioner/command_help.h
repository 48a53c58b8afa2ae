// How `--help` looks: a line of what the command does, its usage, a description, its options in lines of at most 100
// columns, examples and exit codes.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace pipedream {

// What an option takes, as help names it and completion looks it up.
constexpr const char* kAlgorithmType = "ALGORITHM";
constexpr const char* kCostModelType = "MODEL";
constexpr const char* kFileType = "FILE";

struct CommandHelp {
  std::string description;            // paragraphs with an empty line between them
  std::vector<std::string> examples;  // command lines
};

// Without effect on parsing. Call it once a command.
void add_help(CLI::App& command, const CommandHelp& help);

}  // namespace pipedream

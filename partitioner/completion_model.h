// What a shell has to know of a command line.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace pipedream::detail {

struct CompletedOption {
  std::vector<std::string> names;  // with their dashes; none: a positional argument
  std::string description;
  bool takes_value = false;
  std::vector<std::string> values;  // empty: anything, a file perhaps
};

struct CompletedCommand {
  std::string name;
  std::string description;
  std::vector<CompletedOption> options;  // positional arguments too
};

// The subcommands of a program, each with its options; the first entry is the program itself.
std::vector<CompletedCommand> completed_commands(const CLI::App& app);

}  // namespace pipedream::detail

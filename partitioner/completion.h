// Completion of the command line in shells, made of the very description that parses it.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace pipedream {

// The script for "bash", "zsh" or "fish": subcommands, their options, and what options take where that is a choice of
// names; files for the rest. Throws ConfigError for another shell.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace pipedream

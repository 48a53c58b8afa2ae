// `pipedream completion SHELL`: the script that completes this command in a shell.
#pragma once

#include <CLI/App.hpp>
#include <ostream>
#include <string>

namespace pipedream {

class CompletionCommand {
 public:
  // To be made last: it completes what the program has by then and what it adds itself.
  CompletionCommand(CLI::App& app, std::ostream& out);
  CompletionCommand(const CompletionCommand&) = delete;
  CompletionCommand& operator=(const CompletionCommand&) = delete;

  bool chosen() const { return command_->parsed(); }
  int run() const;

 private:
  const CLI::App& program_;
  CLI::App* command_;
  std::ostream& out_;
  std::string shell_;
};

}  // namespace pipedream

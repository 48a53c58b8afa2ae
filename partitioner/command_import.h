// `pipedream import GRAPH.txt`: a profile of PipeDream's published artifact, as ours.
#pragma once

#include <CLI/App.hpp>
#include <ostream>
#include <string>

namespace pipedream {

class ImportCommand {
 public:
  ImportCommand(CLI::App& app, std::ostream& out);
  ImportCommand(const ImportCommand&) = delete;
  ImportCommand& operator=(const ImportCommand&) = delete;

  bool chosen() const { return command_->parsed(); }
  int run() const;

 private:
  CLI::App* command_;
  std::ostream& out_;
  std::string graph_;
  std::string output_;
};

}  // namespace pipedream

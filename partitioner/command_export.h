// `pipedream export PLAN`: a plan as the stage map of PipeDream's published artifact.
#pragma once

#include <CLI/App.hpp>
#include <ostream>
#include <string>

namespace pipedream {

class ExportCommand {
 public:
  ExportCommand(CLI::App& app, std::ostream& out);
  ExportCommand(const ExportCommand&) = delete;
  ExportCommand& operator=(const ExportCommand&) = delete;

  bool chosen() const { return command_->parsed(); }
  int run() const;

 private:
  CLI::App* command_;
  std::ostream& out_;
  std::string plan_;
  std::string profile_;
  std::string graph_;
  std::string output_;
};

}  // namespace pipedream

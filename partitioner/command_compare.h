// `pipedream compare REPORT`: what was predicted of a run against what it measured.
#pragma once

#include <CLI/App.hpp>
#include <ostream>
#include <string>

namespace pipedream {

class CompareCommand {
 public:
  CompareCommand(CLI::App& app, std::ostream& out);
  CompareCommand(const CompareCommand&) = delete;
  CompareCommand& operator=(const CompareCommand&) = delete;

  bool chosen() const { return command_->parsed(); }
  int run() const;

 private:
  CLI::App* command_;
  std::ostream& out_;
  std::string report_;
  std::string profile_;
  std::string topology_;
  std::string recalibrate_;
  bool json_ = false;
};

}  // namespace pipedream

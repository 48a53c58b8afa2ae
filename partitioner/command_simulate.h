// `pipedream simulate PLAN --profile PROFILE`: how fast a plan would run, what limits it and what its workers hold.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <ostream>
#include <string>

#include "partitioner/link_options.h"

namespace pipedream {

class SimulateCommand {
 public:
  SimulateCommand(CLI::App& app, std::ostream& out);
  SimulateCommand(const SimulateCommand&) = delete;
  SimulateCommand& operator=(const SimulateCommand&) = delete;

  bool chosen() const { return command_->parsed(); }
  int run() const;

 private:
  CLI::App* command_;
  std::ostream& out_;
  LinkOptions links_;
  OptimizerOption optimizer_;
  std::string plan_;
  std::string profile_;
  std::string topology_;
  std::string trace_;
  std::int64_t microbatches_ = 0;
  bool json_ = false;
};

}  // namespace pipedream

// `pipedream what-if PROFILE`: what the planner would answer if there were more workers, slower links, less memory.
#pragma once

#include <CLI/App.hpp>
#include <ostream>
#include <string>

#include "partitioner/planning_options.h"
#include "partitioner/topology_options.h"

namespace pipedream {

class WhatIfCommand {
 public:
  WhatIfCommand(CLI::App& app, std::ostream& out);
  WhatIfCommand(const WhatIfCommand&) = delete;
  WhatIfCommand& operator=(const WhatIfCommand&) = delete;

  bool chosen() const { return command_->parsed(); }
  int run() const;

 private:
  CLI::App* command_;
  std::ostream& out_;
  TopologyOptions workers_;
  PlanningOptions planning_;
  std::string profile_;
  bool json_ = false;
};

}  // namespace pipedream

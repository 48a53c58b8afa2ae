// `pipedream plan PROFILE`: makes a plan from a measured profile.
#pragma once

#include <CLI/App.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "partitioner/planning_options.h"
#include "partitioner/topology_options.h"
#include "pipedream/depths.h"
#include "pipedream/partition.h"

namespace pipedream {

class PlanCommand {
 public:
  PlanCommand(CLI::App& app, std::ostream& out);
  PlanCommand(const PlanCommand&) = delete;
  PlanCommand& operator=(const PlanCommand&) = delete;

  bool chosen() const { return command_->parsed(); }
  int run() const;

 private:
  // steps: of the search for depths, none where they are the least.
  Plan make_plan(const Profile& profile, const Topology& workers, std::vector<DepthStep>& steps) const;
  void print(const Plan& plan, const std::vector<DepthStep>& steps, const Profile& profile,
             const Topology& workers) const;

  CLI::App* command_;
  std::ostream& out_;
  TopologyOptions workers_;
  PlanningOptions planning_;
  std::string profile_;
  std::string depths_;
  std::string output_;
  bool json_ = false;
};

}  // namespace pipedream

// `pipedream plan PROFILE`: makes a plan from a measured profile.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "partitioner/link_options.h"
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
  PartitionOptions options() const;
  // steps: of the search for depths, none where they are the least.
  Plan make_plan(const Profile& profile, const Topology& workers, std::vector<DepthStep>& steps) const;
  void print(const Plan& plan, const std::vector<DepthStep>& steps, const Profile& profile,
             const Topology& workers) const;

  CLI::App* command_;
  std::ostream& out_;
  TopologyOptions workers_;
  OptimizerOption optimizer_;
  std::string profile_;
  std::string algorithm_ = "pipedream";
  std::string cost_model_ = "simulated";
  std::string depths_;
  bool straight_ = false;
  int stages_per_worker_ = 0;
  bool use_all_workers_ = false;
  std::int64_t microbatches_per_update_ = 0;
  std::string output_;
  bool json_ = false;
};

}  // namespace pipedream

// The planner: a profile and a topology in, a plan out.
#pragma once

#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/topology.h"

namespace pipedream {

struct PartitionOptions {
  Algorithm algorithm = Algorithm::pipedream;
  bool straight = false;         // no replicas
  bool use_all_workers = false;  // fail rather than leave a worker idle
  std::int64_t microbatches_per_update = 0;
  double optimizer_state_factor = 1;  // optimizer state bytes per parameter byte: SGD 0, momentum 1, Adam 2
};

// The dynamic program of the PipeDream paper (SOSP'19, section 3.1) on one level, with replicated stages, over the cuts
// of the graph order. model_parallel gives the best straight plan by the sum of its stages; data_parallel one stage.
// Throws ConfigError: invalid profile, more than one level, nothing feasible within the memory limit.
Plan partition(const Profile& profile, const Topology& topology, const PartitionOptions& options = {});

// Fills every prediction of the plan from the profile, also for a hand-written plan.
void predict(Plan& plan, const Profile& profile, const Topology& topology, double optimizer_state_factor = 1);

}  // namespace pipedream

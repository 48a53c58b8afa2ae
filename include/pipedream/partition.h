// The planner: a profile and a topology in, a plan out.
#pragma once

#include "pipedream/cost_model.h"
#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/state_factors.h"
#include "pipedream/topology.h"

namespace pipedream {

struct PartitionOptions {
  Algorithm algorithm = Algorithm::pipedream;
  CostModel cost_model = CostModel::simulated;
  bool straight = false;         // no replicas
  bool use_all_workers = false;  // fail rather than leave a worker idle; pipedream_compat never does
  std::int64_t microbatches_per_update = 0;
  int stages_per_worker = 0;  // of interleaved_1f1b; 0: 2 to 8, whatever is predicted to be fastest
  StateFactors state_factors = {};
};

// The plan with the least bottleneck in the cost model, over all ways to cut the graph of the layers where no tensor
// flows back (so the layers of a stage need not be neighbours in the file), to replicate stages and to spread them over
// the levels of the topology. model_parallel gives the best straight plan by the sum of its stages; data_parallel one
// stage; interleaved_1f1b several stages on each worker. Plan::search says what was left out where the graph branches
// too much, or has too many layers. Memory counts as the algorithm needs it: under the default depths, or those that
// `simulated` chooses; pipedream_compat has its own rule. Throws ConfigError: invalid profile or topology, nothing
// feasible within the memory limit.
Plan partition(const Profile& profile, const Topology& topology, const PartitionOptions& options = {});

// Fills every prediction of the plan from the profile, also for a hand-written plan.
void predict(Plan& plan, const Profile& profile, const Topology& topology, StateFactors state_factors = {});

}  // namespace pipedream

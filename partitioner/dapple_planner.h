// The plans that DAPPLE's planner (Fan et al., PPoPP'21, section 4) would propose for a synchronous pipeline: the least
// latency of an update (partitioner/dapple_latency.h).
//
// Where there are few plans, all of them are compared. Else it is the paper's recurrence, which is no exact one: of the
// plans that have the first layers on so many workers, the one is kept that is the fastest with all other layers as one
// stage on all other workers. Of many states and workers only some are tried. Workers are given to the stages in order
// (the paper's append-first). Memory is not looked at.
#pragma once

#include <cstddef>
#include <vector>

#include "partitioner/default_plan.h"
#include "partitioner/placement.h"
#include "partitioner/states.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

struct DapplePlan {
  double microbatch_us = 0;  // the latency of an update for each of its microbatches
  std::vector<PlacedStage> stages;
};

struct DappleOptions {
  PlannedAlgorithm under = {};
  bool straight = false;
  bool use_all = false;
  std::size_t most = 1;     // plans
  std::size_t few = 5'000;  // as many are all compared
};

// Best first, then fewest workers, then fewest stages.
std::vector<DapplePlan> dapple_plans(const Profile& profile, const PlanningStates& states, const Topology& topology,
                                     const DappleOptions& options);

}  // namespace pipedream::detail

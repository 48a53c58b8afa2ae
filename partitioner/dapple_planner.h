// The plans that DAPPLE's planner (Fan et al., PPoPP'21, section 4) would propose for a synchronous pipeline: the least
// latency of an update (partitioner/dapple_latency.h), every stage on the devices that one of the paper's policies
// gives it (partitioner/dapple_devices.h).
//
// Where there are few plans, all of them are compared: every way to cut the model and to give stages replicas, with
// each policy for each stage. Else it is the paper's recurrence, which is no exact one: of the plans that have the
// first layers on the same devices, the one is kept that is the fastest with all other layers as one stage on all other
// workers. That looks at some 40 cuts and 16 numbers of replicas, and of the sets of devices that are equally large at
// the best 128 / workers; on more than 64 workers stages are placed by append first alone. Memory is not looked at.
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
  bool keep_few = false;    // and given, whatever `most` is
};

// Best first, then fewest workers, then fewest stages.
std::vector<DapplePlan> dapple_plans(const Profile& profile, const PlanningStates& states, const Topology& topology,
                                     const DappleOptions& options);

}  // namespace pipedream::detail

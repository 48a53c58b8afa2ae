// A plan held against the profile of its model: which stage has which layer, what stages cost and send each other.
#pragma once

#include <vector>

#include "partitioner/memory_model.h"
#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/simulate.h"
#include "pipedream/state_factors.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {

struct PlannedModel {
  std::vector<TensorEnds> ends;     // of each tensor, in layers
  std::vector<int> stage_of_layer;  // by layer of the profile
  bool one_process = false;         // see Topology
};

// Throws ConfigError where profile or plan are not valid or do not belong together, or the topology has too few
// workers.
PlannedModel planned_model(const Plan& plan, const Profile& profile, const Topology& topology);

// Of one replica of each stage. Recomputation repeats the forward within the backward. update_us stays 0.
std::vector<StageCosts> stage_costs(const Plan& plan, const Profile& profile, const PlannedModel& model,
                                    StateFactors state_factors);

// How a stage of the plan uses its memory.
StageUse stage_use(const Plan& plan, int stage, StateFactors state_factors);

// Sorted by (from, to). A tensor goes once to each later stage that uses it.
std::vector<LinkCosts> link_traffic(const Profile& profile, const PlannedModel& model);

}  // namespace pipedream::detail

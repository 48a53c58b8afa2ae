// predict() of pipedream/partition.h for those who have the planning states already.
#pragma once

#include "partitioner/states.h"
#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/state_factors.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

// states: all_states(profile).
void predict(Plan& plan, const Profile& profile, const Topology& topology, StateFactors state_factors,
             const PlanningStates& states);

}  // namespace pipedream::detail

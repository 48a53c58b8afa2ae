// How fast the best plan without replicas is, without making it: every prediction says so.
#pragma once

#include "partitioner/states.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

// The least bottleneck of a straight plan in the paper's cost model on at most as many workers as the topology has: the
// same as PaperPlanner's. Idle workers are the last ones of a component. Of few workers it is tabulated; else the
// range of doubles is halved, in passes that take a bit for each worker and stage that keeps the bound.
double least_straight_us(const PlanningStates& states, const Topology& topology);

}  // namespace pipedream::detail

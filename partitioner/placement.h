// From stages on the components of nested levels to workers, and back to what they share.
#pragma once

#include <vector>

#include "partitioner/pipeline_costs.h"
#include "pipedream/plan.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

// The levels of more than one component, at least one level: others change nothing.
Topology levels_with_choice(Topology topology);

struct PlacedStage {
  int first = 0;
  int end = 0;
  std::vector<int> workers;  // of the topology, one per replica
};

// The innermost stages, in order. Stages take components one after the other; replica q of what is replicated on an
// outer level handles microbatches k with k mod r = q, and of those its own replicas take turns, so that a microbatch
// stays in its component.
std::vector<PlacedStage> placed(const std::vector<FoundStage>& stages, const Topology& topology);

// A component of the innermost level is a server, where there are others beside it; one level alone does not say what
// is a server.
PlanPlacement servers_of(const Topology& topology, int workers);

// Ascending workers of one stage in the order of its replicas: the components of the outermost level take turns, in
// each of them those of the level below, and so on, as above. So neighbouring stages with as many workers in each
// component, or in proportion, keep a microbatch inside one.
std::vector<int> taking_turns(const std::vector<int>& workers, const Topology& topology);

}  // namespace pipedream::detail

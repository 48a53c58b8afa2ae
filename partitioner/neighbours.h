// The plans that differ from one in a single respect, and all plans where those are few.
#pragma once

#include <optional>
#include <vector>

#include "partitioner/placement.h"
#include "partitioner/states.h"

namespace pipedream::detail {

struct NeighbourOptions {
  int workers = 1;        // of the topology
  bool straight = false;  // one replica a stage
  bool use_all = false;   // no worker idle
};

// A boundary moved to a near state; a worker more or less in a stage, or moved to another one; two stages merged; one
// cut in two. Where numbers of workers change, stages take the workers in order.
std::vector<std::vector<PlacedStage>> neighbours(const std::vector<PlacedStage>& stages, const PlanningStates& states,
                                                 const NeighbourOptions& options);

// Every way to cut the model and to give stages workers in order. Empty: there are more than `most`.
std::optional<std::vector<std::vector<PlacedStage>>> all_plans(const PlanningStates& states,
                                                               const NeighbourOptions& options, std::size_t most);

}  // namespace pipedream::detail

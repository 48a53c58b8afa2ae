// From stages on workers to a plan under an algorithm.
#pragma once

#include <cstdint>
#include <vector>

#include "partitioner/placement.h"
#include "partitioner/states.h"
#include "pipedream/plan.h"
#include "pipedream/profile.h"

namespace pipedream::detail {

struct PlannedAlgorithm {
  Algorithm algorithm = Algorithm::pipedream;
  std::int64_t microbatches_per_update = 0;
};

// Default depths; without a flush replicas of one stage among several are at different phases, so that waiting for each
// other's gradients costs throughput: their reduction may take one round longer. The replicas of an only stage run in
// step and gain nothing from it.
Plan default_plan(const Profile& profile, const PlanningStates& states, const PlannedAlgorithm& under,
                  const std::vector<PlacedStage>& placed);

}  // namespace pipedream::detail

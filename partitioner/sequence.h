// The best cuts for one microbatch at a time, where the time is the sum over all stages and links.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "partitioner/footprints.h"
#include "partitioner/pipeline_costs.h"
#include "pipedream/state_factors.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

struct SequenceOptions {
  bool use_all = false;          // exactly as many workers as there are, else at most
  std::int64_t limit_bytes = 0;  // 0: no limit
  StateFactors state_factors = {};
};

// The compute is the same in all plans, so the links decide: the straight plan, stage s on worker s, that spends the
// least time in them, then with the least memory of its greatest stage, then with the fewest stages. Empty: no plan
// fits. O(N^2 * workers).
std::optional<std::vector<FoundStage>> cheapest_sequence(const PlanningStates& states, StageFootprints& footprints,
                                                         const Topology& topology, const SequenceOptions& options);

}  // namespace pipedream::detail

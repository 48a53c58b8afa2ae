// The best cuts for one microbatch at a time, where the time is the sum over all stages and links.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "partitioner/search.h"

namespace pipedream::detail {

// The compute is the same in all plans, so the links decide: the straight plan that spends the least time in them, then
// with the least memory of its greatest stage, then with the fewest stages. limit_bytes 0: no limit. Empty: no plan
// fits. O(N^2 * workers).
std::optional<std::vector<FoundStage>> cheapest_sequence(const CostModel& costs, const RangeFootprints& footprints,
                                                         std::int64_t limit_bytes, double optimizer_state_factor,
                                                         const SearchOptions& options);

}  // namespace pipedream::detail

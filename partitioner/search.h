// The search for the pipeline with the least bottleneck, over prefixes of the graph order.
//
// It solves the paper's recurrence A(j, m) = min over s, m' of max(A(s, m - m'), link(s), T(s..j, m')) without
// tabulating it: for a bound T, the least workers that cover a suffix within T follow from one pass over its first
// stages. The bound is halved, and in the end anything strictly better is asked for until there is none; bounds and
// costs are the same expressions, so the answer is exact. A pass costs O(N^2), and less where workers are scarce.
//
// Going from the last stage to the first, the depth w of a stage follows from what lies behind it alone, so a memory
// limit under the default depths is exact too: a state is (first layer, workers, r (w + 1) microbatches out), and fewer
// out is never worse.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "partitioner/cost_model.h"
#include "partitioner/memory_model.h"

namespace pipedream::detail {

struct SearchOptions {
  int workers = 1;
  bool straight = false;         // one replica a stage
  bool use_all_workers = false;  // exactly `workers`, else at most
};

// limit_bytes for every worker; stages with replicas reduce with a delay of 1, but the only stage does not.
struct MemoryLimit {
  const RangeFootprints& footprints;
  std::int64_t limit_bytes;
  double optimizer_state_factor;
};

struct FoundStage {
  int first = 0;
  int end = 0;
  int replicas = 1;
};

// Among plans with the least bottleneck: fewest workers, then fewest stages, then the shortest first stage.
// `memory` may be null. Empty: no plan fits.
std::optional<std::vector<FoundStage>> fastest_pipeline(const CostModel& costs, const MemoryLimit* memory,
                                                        const SearchOptions& options);

double bottleneck_us(const CostModel& costs, const std::vector<FoundStage>& stages);

}  // namespace pipedream::detail

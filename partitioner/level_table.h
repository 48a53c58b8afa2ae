// The recurrence over splits and components of one level, tabulated:
//   A(i..j, m) = min(first_stage(i..j, m), min over k, r of max(A(i..k, m - r), later_stage(k..j, r))).
//
// In time O(N^3 M^2) at worst. A stage never takes less than its compute divided by all its workers, so for a value
// that is already reached only splits in a window of compute can do better; states are sorted by compute, so the window
// is a range of them, and a pass over it does nothing but maxima and a minimum.
#pragma once

#include "partitioner/pipeline_costs.h"

namespace pipedream::detail {

struct LevelOptions {
  int components = 1;
  bool straight = false;  // one replica a stage
  bool use_all = false;   // exactly `components`, else at most
};

// The least bottleneck of each range of states on all components. O(N^2 M) doubles while it works.
StageTable tabulate(const PipelineCosts& costs, const LevelOptions& options);

// Of the whole model alone. O(N^2 M^2).
double tabulate_whole(const PipelineCosts& costs, const LevelOptions& options);

// Whether tabulate_whole takes less than the many passes of a search over the bottleneck.
bool is_small(const PlanningStates& states, int components);

}  // namespace pipedream::detail

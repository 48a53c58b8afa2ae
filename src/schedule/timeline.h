// What the readers of a timeline share.
#pragma once

#include <algorithm>
#include <vector>

#include "pipedream/timeline.h"

namespace pipedream::detail {

// Throws ConfigError unless the timeline has the plan's workers.
void check_workers(const Timeline& timeline, const Plan& plan);

inline bool is_compute(ActionKind kind) {
  return kind == ActionKind::forward || kind == ActionKind::backward || kind == ActionKind::update;
}

// Time per microbatch from when the last stage was done with each: over the middle half, which leaves out warm-up and
// drain. In the unit of the ends; 0 for fewer than two.
template <class Time>
double steady_period(std::vector<Time> ends) {
  if (ends.size() < 2) return 0;
  std::sort(ends.begin(), ends.end());
  std::size_t first = ends.size() / 4;
  std::size_t last = ends.size() - 1 - first;
  if (first == last) {
    first = 0;
    last = ends.size() - 1;
  }
  return static_cast<double>(ends[last] - ends[first]) / static_cast<double>(last - first);
}

}  // namespace pipedream::detail

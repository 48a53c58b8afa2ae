// What the readers of a timeline share.
#pragma once

#include <algorithm>
#include <vector>

#include "pipedream/schedule.h"
#include "pipedream/timeline.h"

namespace pipedream::detail {

// Throws ConfigError unless the timeline has the plan's workers.
void check_workers(const Timeline& timeline, const Plan& plan);

inline bool is_compute(ActionKind kind) {
  return kind == ActionKind::forward || kind == ActionKind::backward || kind == ActionKind::update;
}

// Microbatches after which all goes on as before: an update where each is flushed, else what is a whole number of
// rounds of every stage.
std::int64_t steady_cycle(const Plan& plan);

// Time per microbatch from when a stage was done with each: over the middle half, which leaves out warm-up and
// drain, cut to whole cycles. In the unit of the ends; 0 for fewer than two.
template <class Time>
double steady_period(std::vector<Time> ends, std::int64_t cycle) {
  if (ends.size() < 2) return 0;
  if (!std::is_sorted(ends.begin(), ends.end())) std::sort(ends.begin(), ends.end());
  std::size_t first = ends.size() / 4;
  std::size_t last = ends.size() - 1 - first;
  if (first == last) {
    first = 0;
    last = ends.size() - 1;
  }
  if (last - first > static_cast<std::size_t>(cycle)) last -= (last - first) % static_cast<std::size_t>(cycle);
  return static_cast<double>(ends[last] - ends[first]) / static_cast<double>(last - first);
}

}  // namespace pipedream::detail

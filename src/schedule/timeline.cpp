#include "schedule/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "pipedream/error.h"

namespace pipedream {

TimelineRecorder::TimelineRecorder(std::size_t capacity) : ring_(capacity) {
  if (capacity == 0) {
    throw ConfigError("a timeline recorder needs room for at least 1 event");
  }
}

std::vector<TimelineEvent> TimelineRecorder::events() const {
  if (recorded_ <= ring_.size()) {
    return {ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(recorded_)};
  }
  std::vector<TimelineEvent> oldest_first(ring_.size());
  std::rotate_copy(ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(next_), ring_.end(),
                   oldest_first.begin());
  return oldest_first;
}

std::int64_t TimelineRecorder::dropped() const {
  return recorded_ <= ring_.size() ? 0 : static_cast<std::int64_t>(recorded_ - ring_.size());
}

void TimelineRecorder::clear() {
  next_ = 0;
  recorded_ = 0;
}

namespace detail {

void check_workers(const Timeline& timeline, const Plan& plan) {
  if (timeline.workers.size() != static_cast<std::size_t>(plan.workers())) {
    throw ConfigError(
        fmt::format("a timeline of {} workers for a plan of {}", timeline.workers.size(), plan.workers()));
  }
}

std::int64_t steady_cycle(const Plan& plan) {
  std::int64_t cycle = microbatches_per_update(plan, 0);
  if (traits_of(plan.algorithm).flushes) return cycle;
  for (const StagePlan& stage : plan.stages) cycle = std::lcm(cycle, std::int64_t{stage.replicas()});
  return cycle;
}

}  // namespace detail
}  // namespace pipedream

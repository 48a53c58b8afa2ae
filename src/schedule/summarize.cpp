#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "schedule/share.h"
#include "schedule/timeline.h"

namespace pipedream {
namespace {

double median(std::vector<double> values) {
  if (values.empty()) {
    return 0;
  }
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) {
    return *middle;
  }
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double microseconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; }

// Updates of a stage that a worker has done in its segment, by walking its events of that stage. Unknown (-1) until an
// update or the start of a segment is seen, where older events were dropped.
class UpdateCount {
 public:
  explicit UpdateCount(bool from_the_start) : count_(from_the_start ? 0 : -1) {}

  void see(const Action& action) {
    if (action.kind == ActionKind::update) {
      count_ = action.version;
    } else if (action.kind == ActionKind::forward) {
      // Microbatches only grow within a segment.
      count_ = action.microbatch <= last_forward_ ? 0 : count_;
      last_forward_ = action.microbatch;
    }
  }
  std::int64_t count() const { return count_; }

 private:
  std::int64_t count_;
  std::int64_t last_forward_ = -1;
};

struct StageSamples {
  std::vector<double> forward, backward, update;
  double staleness = 0;
  std::int64_t backwards = 0;
};

void add_worker(StageSamples& samples, int stage, const std::vector<TimelineEvent>& events, bool from_the_start) {
  UpdateCount updates(from_the_start);
  std::map<std::int64_t, std::int64_t> in_flight;  // by microbatch, the version that its forward saw
  for (const TimelineEvent& event : events) {
    if (event.action.stage != stage) continue;
    const double duration = microseconds(event.end_ns - event.start_ns);
    updates.see(event.action);
    if (event.action.kind == ActionKind::forward) {
      samples.forward.push_back(duration);
      in_flight[event.action.microbatch] = event.action.version;
    } else if (event.action.kind == ActionKind::update) {
      samples.update.push_back(duration);
    } else if (event.action.kind == ActionKind::backward) {
      samples.backward.push_back(duration);
      const auto forward = in_flight.find(event.action.microbatch);
      if (forward == in_flight.end()) continue;
      if (updates.count() >= 0) {
        samples.staleness += static_cast<double>(updates.count() - forward->second);
        ++samples.backwards;
      }
      in_flight.erase(forward);
    }
  }
}

StageFigures stage_figures(const Timeline& timeline, const Plan& plan, int stage) {
  StageSamples samples;
  for (const int worker : detail::stage_plan(plan, stage).workers) {
    const auto w = static_cast<std::size_t>(worker);
    add_worker(samples, stage, timeline.workers[w], w >= timeline.dropped.size() || timeline.dropped[w] == 0);
  }
  StageFigures figures;
  figures.forward_us = median(std::move(samples.forward));
  figures.backward_us = median(std::move(samples.backward));
  figures.update_us = median(std::move(samples.update));
  if (samples.backwards > 0) {
    figures.staleness = samples.staleness / static_cast<double>(samples.backwards);
  }
  return figures;
}

std::vector<std::int64_t> ends_of(const Timeline& timeline, const Plan& plan, int stage, ActionKind kind) {
  std::vector<std::int64_t> ends;
  for (const int worker : detail::stage_plan(plan, stage).workers) {
    for (const TimelineEvent& event : timeline.workers[static_cast<std::size_t>(worker)]) {
      if (event.action.kind == kind && event.action.stage == stage) {
        ends.push_back(event.end_ns);
      }
    }
  }
  return ends;
}

double steady_microbatch_us(const Timeline& timeline, const Plan& plan) {
  const int last_stage = static_cast<int>(plan.stages.size()) - 1;
  std::vector<std::int64_t> ends = ends_of(timeline, plan, last_stage, ActionKind::backward);
  if (ends.empty()) {
    ends = ends_of(timeline, plan, last_stage, ActionKind::forward);
  }
  return detail::steady_period(std::move(ends), detail::steady_cycle(plan)) / 1000;
}

double compute_us(const std::vector<TimelineEvent>& events) {
  std::int64_t total = 0;
  for (const TimelineEvent& event : events) {
    if (detail::is_compute(event.action.kind)) {
      total += event.end_ns - event.start_ns;
    }
  }
  return microseconds(total);
}

double span_us(const Timeline& timeline) {
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  std::int64_t last = std::numeric_limits<std::int64_t>::min();
  for (const auto& events : timeline.workers) {
    for (const TimelineEvent& event : events) {
      first = std::min(first, event.start_ns);
      last = std::max(last, event.end_ns);
    }
  }
  return last < first ? 0 : microseconds(last - first);
}

}  // namespace

TimelineFigures summarize(const Timeline& timeline, const Plan& plan) {
  detail::check_workers(timeline, plan);
  TimelineFigures figures;
  figures.span_us = span_us(timeline);
  for (const auto& events : timeline.workers) {
    figures.utilisation.push_back(figures.span_us > 0 ? compute_us(events) / figures.span_us : 0);
  }
  if (figures.span_us > 0) {
    const double sum = std::accumulate(figures.utilisation.begin(), figures.utilisation.end(), 0.0);
    figures.bubble = 1 - sum / static_cast<double>(figures.utilisation.size());
  }
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    figures.stages.push_back(stage_figures(timeline, plan, static_cast<int>(s)));
  }
  figures.microbatch_us = steady_microbatch_us(timeline, plan);
  return figures;
}

}  // namespace pipedream

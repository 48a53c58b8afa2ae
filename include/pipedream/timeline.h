// What happened when: per worker, action, start and end. Written as a Chrome trace (Perfetto opens it), summed up as
// figures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "pipedream/action.h"
#include "pipedream/plan.h"

namespace pipedream {

// Times are nanoseconds since an instant that all workers share.
struct TimelineEvent {
  Action action;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

struct Timeline {
  std::vector<std::vector<TimelineEvent>> workers;  // in order of start
  std::vector<std::int64_t> dropped;                // by worker: events older than the recorder's capacity
  std::int64_t first_microbatch = 0;                // of the run: what actions call microbatch 0
};

struct StalenessRecord {
  std::int64_t microbatch = 0;  // of the run
  int stage = 0;
  std::int64_t version = 0;  // that the forward saw; versions count the stage's updates since the run began
  std::int64_t newest = 0;   // at the backward
  // norm of (the forward's weights - the newest) / norm of the newest; NaN where it was not asked for, and where the
  // algorithm does not keep the forward's weights.
  double distance = 0;
};

// A ring buffer of the newest events of one worker: a few nanoseconds an event, no allocation after construction. One
// thread at a time.
class TimelineRecorder {
 public:
  // Throws ConfigError unless capacity >= 1.
  explicit TimelineRecorder(std::size_t capacity = std::size_t{1} << 18);

  void record(const Action& action, std::int64_t start_ns, std::int64_t end_ns) {
    ring_[next_] = {action, start_ns, end_ns};
    next_ = next_ + 1 == ring_.size() ? 0 : next_ + 1;
    ++recorded_;
  }

  std::vector<TimelineEvent> events() const;  // oldest first
  std::int64_t dropped() const;
  void clear();

 private:
  std::vector<TimelineEvent> ring_;
  std::size_t next_ = 0;
  std::uint64_t recorded_ = 0;
};

struct StageFigures {
  double forward_us = 0;  // median of the recorded forwards
  double backward_us = 0;
  double update_us = 0;
  // Mean over backwards of (updates of the stage that the worker had done in the segment at that moment - version that
  // the forward saw). Backwards of which one of the two is unknown, because events were dropped, are left out.
  double staleness = 0;
};

struct TimelineFigures {
  double span_us = 0;               // first start to last end
  double microbatch_us = 0;         // steady-state time per microbatch: middle half of the last stage's backwards
                                    // (of the forwards in a forward-only run), cut to whole updates or rounds
  std::vector<double> utilisation;  // by worker: compute (F, B, U) / span
  double bubble = 0;                // 1 - mean utilisation
  std::vector<StageFigures> stages;
};

// A timeline without events gives zeros. Throws ConfigError unless it has the plan's workers.
TimelineFigures summarize(const Timeline& timeline, const Plan& plan);

// Chrome JSON: one process a worker, tracks for compute and for communication, arrows from sends to receives; where
// there are records of staleness, counters of it at the backwards they are of. Written to a temporary name, synced and
// renamed. Throws ConfigError as summarize does, and where the file cannot be written.
void write_chrome_trace(const Timeline& timeline, const Plan& plan, const std::filesystem::path& path,
                        std::span<const StalenessRecord> staleness = {});

}  // namespace pipedream

// Runs one worker's program: turns its actions into compute, messages and reductions, and records when each happened.
//
// Deadlines, aborts and the names in errors come from the communicator; the executor says what it is doing
// (Communicator::set_status) and wraps a failing layer's exception in worker, action and microbatch. One thread.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "pipedream/schedule.h"
#include "pipedream/timeline.h"
#include "runtime/channels.h"
#include "runtime/data_feed.h"
#include "runtime/pass.h"
#include "runtime/stop_vote.h"

namespace pipedream::detail {

struct SegmentRun {
  const Plan* plan = nullptr;  // with the segment's algorithm
  Segment segment;
  std::int64_t first_microbatch = 0;  // of the run
  DataFeed* feed = nullptr;           // this worker's microbatches, in order
  StopVote* stop_vote = nullptr;      // may be null
  PassCompute* compute = nullptr;
  std::chrono::milliseconds first_deadline{0};  // until the first microbatch is done, then `deadline`
  std::chrono::milliseconds deadline{0};
};

class Executor {
 public:
  Executor(Communicator& comm, Stage& stage, Channels& channels);

  // links: which of the plan's links carry gradients. Returns how many microbatches the segment had in the end (less
  // where the stop vote cut it).
  std::int64_t run(const SegmentRun& run, const std::vector<StageLink>& links);

  TimelineRecorder& recorder() { return recorder_; }

 private:
  // What a wait brought for the next compute action, and what a compute action made for the posts after it.
  struct Parcel {
    int peer = 0;
    std::int64_t microbatch = 0;
    Message message;
  };

  // Written by this worker, read by whoever reports on it.
  class CurrentAction {
   public:
    void set(const Action& action) {
      const std::lock_guard lock(mutex_);
      action_ = action;
    }
    Action get() const {
      const std::lock_guard lock(mutex_);
      return action_;
    }

   private:
    mutable std::mutex mutex_;
    Action action_;
  };
  class StatusScope;

  std::int64_t run_program(const SegmentRun& run);
  void execute(const Action& action, const SegmentRun& run);
  void compute_forward(const Action& action, const SegmentRun& run);
  void compute_backward(const Action& action, const SegmentRun& run);
  std::vector<Message> received(std::int64_t microbatch, const std::vector<int>& peers);
  bool carries_gradients(int from) const;
  std::string describe(const Action& action) const;

  Communicator& comm_;
  Stage& stage_;
  Channels& channels_;
  std::vector<int> earlier_;  // stages linked with this one
  std::vector<int> later_;
  std::vector<StageLink> links_;
  std::int64_t first_microbatch_ = 0;
  CurrentAction current_;
  std::vector<Parcel> inbox_;
  std::vector<Parcel> outbox_;
  TimelineRecorder recorder_;
};

}  // namespace pipedream::detail

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
#include "runtime/memory_window.h"
#include "runtime/pass.h"
#include "runtime/stop_vote.h"

namespace pipedream::detail {

// What a segment does with one of the worker's stages.
struct StageRun {
  DataFeed* feed = nullptr;  // the stage's microbatches of this worker, in order
  PassCompute* compute = nullptr;
};

struct SegmentRun {
  const Plan* plan = nullptr;  // with the segment's algorithm
  Segment segment;
  std::int64_t first_microbatch = 0;            // of the run
  std::vector<StageRun> stages;                 // as the executor has them
  StopVote* stop_vote = nullptr;                // may be null
  MemoryWindow* memory = nullptr;               // may be null
  std::chrono::milliseconds first_deadline{0};  // until the first microbatch is done, then `deadline`
  std::chrono::milliseconds deadline{0};
};

class Executor {
 public:
  // stages: the worker's, ascending.
  Executor(Communicator& comm, const std::vector<Stage*>& stages, Channels& channels);

  // links: which of the plan's links carry gradients. Returns how many microbatches the segment had in the end (less
  // where the stop vote cut it).
  std::int64_t run(const SegmentRun& run, const std::vector<StageLink>& links);

  TimelineRecorder& recorder() { return recorder_; }

 private:
  struct HostedStage {
    int stage = 0;
    std::vector<int> earlier;  // stages linked with it
    std::vector<int> later;
  };

  // What a wait or another stage of this worker brought for a compute action to come, and what a compute action made
  // for the posts after it.
  struct Parcel {
    int from = 0;  // stages
    int to = 0;
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
  std::size_t place_of(int stage) const;  // among the hosted
  bool is_hosted(int stage) const;
  std::vector<Message> received(const Action& action, const std::vector<int>& peers);
  void hand_over(Parcel parcel);
  bool carries_gradients(int from, int to) const;
  std::string describe(const Action& action) const;

  Communicator& comm_;
  Channels& channels_;
  std::vector<HostedStage> hosted_;
  std::vector<StageLink> links_;
  std::int64_t first_microbatch_ = 0;
  CurrentAction current_;
  std::vector<Parcel> inbox_;
  std::vector<Parcel> outbox_;
  TimelineRecorder recorder_;
};

}  // namespace pipedream::detail

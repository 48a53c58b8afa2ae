// Finding out that a replay only repeats itself, and skipping the repetitions.
//
// The replay goes in steps: in each, no worker passes more than one step's microbatches beyond the last limit. Where
// the states after three steps in a row differ only by the shift of a step, every further step does the same again,
// until a worker comes so near to the end that it looks ahead to the last microbatches.
#pragma once

#include <cstdint>
#include <vector>

#include "schedule/replay_state.h"

namespace pipedream::detail {

class Recurrence {
 public:
  explicit Recurrence(ReplayState& state);

  // The position that the worker must not pass in this step.
  std::int64_t limit(int worker) const { return limits_[static_cast<std::size_t>(worker)]; }

  // Begins the next step when no worker can go on in this one, after skipping what only repeats; all workers may then
  // be able to go on. False when this step was the last: its limits are the programs' ends.
  bool next_step();

 private:
  // How much the counters of a hosted stage grow from step to step.
  struct Growth {
    std::int64_t microbatches = 0;  // its worker's
    std::int64_t updates = 0;
    std::int64_t reductions = 0;
  };

  void set_growth();
  void set_limits();
  bool recurs();
  // The state relative to the step; empty while a worker is in its prologue.
  std::vector<std::int64_t> relative_state() const;
  void append_hosted(std::vector<std::int64_t>& values, std::size_t hosted) const;
  void skip(std::int64_t steps);
  void skip_hosted(std::size_t hosted, std::int64_t steps);
  void recount_reductions() const;

  ReplayState& state_;
  std::int64_t step_microbatches_;     // 0: the replay has one step only
  std::vector<std::int64_t> actions_;  // of a step, by worker
  std::vector<Growth> growth_;         // by hosted stage
  std::int64_t step_ = 0;
  std::int64_t last_step_ = 0;  // with limits
  std::vector<std::int64_t> limits_;
  std::vector<std::int64_t> last_state_;
  int times_seen_ = 0;
};

}  // namespace pipedream::detail

#include "schedule/recurrence.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace pipedream::detail {
namespace {

// A program whose state has not recurred by then is replayed to its end.
constexpr std::int64_t kMostStepsLookedAt = 256;

std::int64_t length(const std::vector<Action>& actions) { return static_cast<std::int64_t>(actions.size()); }

// Microbatches of a step: a whole number of every worker's periods and of every channel's cycles. 0 where a worker has
// no period or the step would be longer than the segment.
std::int64_t common_step(const ReplayState& state) {
  std::int64_t step = 1;
  for (const WorkerProgram& program : state.program.workers) {
    if (program.repeats <= 0 || program.period.empty() || program.microbatch_shift <= 0) {
      return 0;
    }
    step = std::lcm(step, program.microbatch_shift);
    if (step > state.segment.microbatches) {
      return 0;
    }
  }
  for (const Channel& channel : state.channels) {
    step = std::lcm(step, channel.cycle);
    if (step > state.segment.microbatches) {
      return 0;
    }
  }
  for (const StageRule& stage : state.stages) {
    step = std::lcm(step, stage.replicas);
  }
  return step > state.segment.microbatches ? 0 : step;
}

}  // namespace

Recurrence::Recurrence(ReplayState& state)
    : state_(state), step_microbatches_(common_step(state)), growth_(state.workers.size()), limits_(growth_.size()) {
  if (step_microbatches_ > 0) {
    set_growth();
  }
  set_limits();
}

void Recurrence::set_growth() {
  last_step_ = std::numeric_limits<std::int64_t>::max();
  for (std::size_t w = 0; w < growth_.size(); ++w) {
    const WorkerProgram& program = state_.program.workers[w];
    const WorkerState& worker = state_.workers[w];
    const StageRule& stage = state_.stages[static_cast<std::size_t>(worker.stage)];
    const std::int64_t repetitions = step_microbatches_ / program.microbatch_shift;
    const auto s = static_cast<std::size_t>(worker.stage);
    Growth& growth = growth_[w];
    growth.position = repetitions * length(program.period);
    growth.microbatches = step_microbatches_ / stage.replicas;
    growth.updates = s < program.version_shift.size() ? repetitions * program.version_shift[s] : 0;
    growth.reductions = stage.replicas > 1 ? growth.updates : 0;
    // The rules look lag + 1 rounds ahead.
    const std::int64_t replayed_at_end =
        ceil_div((stage.tables.forward.lag + 2) * std::max(stage.tables.forward.step, stage.replicas),
                 step_microbatches_) +
        1;
    last_step_ = std::min(last_step_, program.repeats / repetitions - replayed_at_end);
  }
}

void Recurrence::set_limits() {
  for (std::size_t w = 0; w < limits_.size(); ++w) {
    const WorkerProgram& program = state_.program.workers[w];
    limits_[w] = step_ < last_step_ ? length(program.prologue) + step_ * growth_[w].position : program.size();
  }
}

bool Recurrence::next_step() {
  if (step_ >= last_step_) {
    return false;
  }
  if (recurs()) {
    skip(last_step_ - step_);
    step_ = last_step_;
  } else {
    step_ = step_ < kMostStepsLookedAt ? step_ + 1 : last_step_;
  }
  set_limits();
  return true;
}

bool Recurrence::recurs() {
  std::vector<std::int64_t> now = relative_state();
  times_seen_ = !now.empty() && now == last_state_ ? times_seen_ + 1 : 0;
  last_state_ = std::move(now);
  return times_seen_ == 2;
}

std::vector<std::int64_t> Recurrence::relative_state() const {
  std::vector<std::int64_t> values;
  values.reserve(last_state_.size());
  for (std::size_t w = 0; w < state_.workers.size(); ++w) {
    if (state_.workers[w].position() < length(state_.program.workers[w].prologue)) {
      return {};
    }
    append_worker(values, w);
  }
  for (const Channel& channel : state_.channels) {
    const std::int64_t base = step_ * (step_microbatches_ / channel.cycle);
    for (const std::int64_t count :
         {channel.sends_posted, channel.sends_waited, channel.receives_posted, channel.receives_waited}) {
      values.push_back(count - base);
    }
  }
  return values;
}

void Recurrence::append_worker(std::vector<std::int64_t>& values, std::size_t w) const {
  const WorkerState& worker = state_.workers[w];
  const StageRule& stage = state_.stages[static_cast<std::size_t>(worker.stage)];
  const Growth& growth = growth_[w];
  values.push_back(worker.position() - step_ * growth.position);
  values.push_back(worker.forwards - step_ * growth.microbatches);
  values.push_back(stage.has_backward ? worker.backwards - step_ * growth.microbatches : 0);
  values.push_back(worker.updates - step_ * growth.updates);
  values.push_back(worker.reductions_posted - step_ * growth.reductions);
  values.push_back(worker.reductions_waited - step_ * growth.reductions);
  values.push_back(worker.pending_sends);
  for (std::size_t p = worker.first_port; p < worker.end_port; ++p) {
    values.push_back(state_.ports[p].done - step_ * growth.microbatches);
  }
  const auto first = values.size();
  for (const std::int64_t version : worker.kept) {
    if (version >= 0) {
      values.push_back(version - step_ * growth.updates);
    }
  }
  std::sort(values.begin() + static_cast<std::ptrdiff_t>(first), values.end());
}

void Recurrence::skip(std::int64_t steps) {
  for (std::size_t w = 0; w < state_.workers.size(); ++w) {
    skip_worker(w, steps);
  }
  for (Channel& channel : state_.channels) {
    const std::int64_t messages = steps * (step_microbatches_ / channel.cycle);
    channel.sends_posted += messages;
    channel.sends_waited += messages;
    channel.receives_posted += messages;
    channel.receives_waited += messages;
  }
  recount_reductions();
}

void Recurrence::skip_worker(std::size_t w, std::int64_t steps) {
  WorkerState& worker = state_.workers[w];
  const Growth& growth = growth_[w];
  worker.cursor.seek(worker.position() + steps * growth.position);
  worker.current.reset();
  worker.forwards += steps * growth.microbatches;
  if (state_.stages[static_cast<std::size_t>(worker.stage)].has_backward) {
    worker.backwards += steps * growth.microbatches;
  }
  worker.updates += steps * growth.updates;
  worker.reductions_posted += steps * growth.reductions;
  worker.reductions_waited += steps * growth.reductions;
  for (std::size_t p = worker.first_port; p < worker.end_port; ++p) {
    state_.ports[p].done += steps * growth.microbatches;
  }
  const std::vector<std::int64_t> kept = worker.kept;
  std::fill(worker.kept.begin(), worker.kept.end(), -1);
  for (const std::int64_t version : kept) {
    if (version >= 0) {
      const std::int64_t shifted = version + steps * growth.updates;
      worker.kept_slot(shifted) = shifted;
    }
  }
}

void Recurrence::recount_reductions() const {
  for (StageRule& stage : state_.stages) {
    std::fill(stage.posted.begin(), stage.posted.end(), 0);
    stage.reduced = std::numeric_limits<std::int64_t>::max();
    for (const int replica : stage.workers) {
      stage.reduced = std::min(stage.reduced, state_.workers[static_cast<std::size_t>(replica)].reductions_posted);
    }
    for (const int replica : stage.workers) {
      const std::int64_t end = state_.workers[static_cast<std::size_t>(replica)].reductions_posted;
      for (std::int64_t u = stage.reduced; u < end; ++u) {
        ++stage.posted[static_cast<std::size_t>(u) % stage.posted.size()];
      }
    }
  }
}

}  // namespace pipedream::detail

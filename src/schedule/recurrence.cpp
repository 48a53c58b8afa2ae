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
    : state_(state),
      step_microbatches_(common_step(state)),
      actions_(state.workers.size()),
      growth_(state.hosted.size()),
      limits_(state.workers.size()) {
  if (step_microbatches_ > 0) {
    set_growth();
  }
  set_limits();
}

void Recurrence::set_growth() {
  last_step_ = std::numeric_limits<std::int64_t>::max();
  for (std::size_t w = 0; w < actions_.size(); ++w) {
    const WorkerProgram& program = state_.program.workers[w];
    const WorkerState& worker = state_.workers[w];
    const std::int64_t repetitions = step_microbatches_ / program.microbatch_shift;
    actions_[w] = repetitions * length(program.period);
    for (std::size_t h = worker.first_hosted; h < worker.end_hosted; ++h) {
      const auto s = static_cast<std::size_t>(state_.hosted[h].stage);
      const StageRule& stage = state_.stages[s];
      Growth& growth = growth_[h];
      growth.microbatches = step_microbatches_ / stage.replicas;
      growth.updates = s < program.version_shift.size() ? repetitions * program.version_shift[s] : 0;
      growth.reductions = stage.replicas > 1 ? growth.updates : 0;
      // The rules look lag + 1 rounds ahead.
      const std::int64_t looked_ahead = (stage.tables.forward.lag + 2) * std::max(stage.tables.forward.step, stage.replicas);
      const std::int64_t replayed_at_end = ceil_div(looked_ahead, step_microbatches_) + 1;
      last_step_ = std::min(last_step_, program.repeats / repetitions - replayed_at_end);
    }
  }
}

void Recurrence::set_limits() {
  for (std::size_t w = 0; w < limits_.size(); ++w) {
    const WorkerProgram& program = state_.program.workers[w];
    limits_[w] = step_ < last_step_ ? length(program.prologue) + step_ * actions_[w] : program.size();
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
    values.push_back(state_.workers[w].position() - step_ * actions_[w]);
    values.push_back(state_.workers[w].pending_sends);
  }
  for (std::size_t h = 0; h < state_.hosted.size(); ++h) {
    append_hosted(values, h);
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

void Recurrence::append_hosted(std::vector<std::int64_t>& values, std::size_t h) const {
  const HostedStage& own = state_.hosted[h];
  const StageRule& stage = state_.stages[static_cast<std::size_t>(own.stage)];
  const Growth& growth = growth_[h];
  values.push_back(own.forwards - step_ * growth.microbatches);
  values.push_back(stage.has_backward ? own.backwards - step_ * growth.microbatches : 0);
  values.push_back(own.updates - step_ * growth.updates);
  values.push_back(own.reductions_posted - step_ * growth.reductions);
  values.push_back(own.reductions_waited - step_ * growth.reductions);
  for (std::size_t p = own.first_port; p < own.end_port; ++p) {
    values.push_back(state_.ports[p].done - step_ * growth.microbatches);
  }
  const auto first = values.size();
  for (const std::int64_t version : own.kept) {
    if (version >= 0) {
      values.push_back(version - step_ * growth.updates);
    }
  }
  std::sort(values.begin() + static_cast<std::ptrdiff_t>(first), values.end());
}

void Recurrence::skip(std::int64_t steps) {
  for (std::size_t w = 0; w < state_.workers.size(); ++w) {
    WorkerState& worker = state_.workers[w];
    worker.cursor.seek(worker.position() + steps * actions_[w]);
    worker.current.reset();
  }
  for (std::size_t h = 0; h < state_.hosted.size(); ++h) {
    skip_hosted(h, steps);
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

void Recurrence::skip_hosted(std::size_t h, std::int64_t steps) {
  HostedStage& own = state_.hosted[h];
  const Growth& growth = growth_[h];
  own.forwards += steps * growth.microbatches;
  if (state_.stages[static_cast<std::size_t>(own.stage)].has_backward) {
    own.backwards += steps * growth.microbatches;
  }
  own.updates += steps * growth.updates;
  own.reductions_posted += steps * growth.reductions;
  own.reductions_waited += steps * growth.reductions;
  for (std::size_t p = own.first_port; p < own.end_port; ++p) {
    state_.ports[p].done += steps * growth.microbatches;
  }
  const std::vector<std::int64_t> kept = own.kept;
  std::fill(own.kept.begin(), own.kept.end(), -1);
  for (const std::int64_t version : kept) {
    if (version >= 0) {
      const std::int64_t shifted = version + steps * growth.updates;
      own.kept_slot(shifted) = shifted;
    }
  }
}

void Recurrence::recount_reductions() const {
  for (std::size_t s = 0; s < state_.stages.size(); ++s) {
    StageRule& stage = state_.stages[s];
    std::fill(stage.posted.begin(), stage.posted.end(), 0);
    stage.reduced = std::numeric_limits<std::int64_t>::max();
    for (const int replica : stage.workers) {
      stage.reduced = std::min(stage.reduced, state_.replica_of(static_cast<int>(s), replica).reductions_posted);
    }
    for (const int replica : stage.workers) {
      const std::int64_t end = state_.replica_of(static_cast<int>(s), replica).reductions_posted;
      for (std::int64_t u = stage.reduced; u < end; ++u) {
        ++stage.posted[static_cast<std::size_t>(u) % stage.posted.size()];
      }
    }
  }
}

}  // namespace pipedream::detail

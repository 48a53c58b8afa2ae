#include "pipedream/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace pipedream {
namespace {

std::int64_t length(const std::vector<Action>& actions) { return static_cast<std::int64_t>(actions.size()); }

Action shifted(Action action, const WorkerProgram& program, std::int64_t steps) {
  action.microbatch += steps * program.microbatch_shift;
  if (action.version >= 0 && steps > 0) {
    action.version += steps * program.version_shift[static_cast<std::size_t>(action.stage)];
  }
  return action;
}

}  // namespace

std::int64_t WorkerProgram::size() const { return length(prologue) + repeats * length(period) + length(epilogue); }

Action WorkerProgram::at(std::int64_t index) const {
  if (index < 0 || index >= size()) {
    throw std::out_of_range(fmt::format("action {} of a program of {} actions", index, size()));
  }
  if (index < length(prologue)) {
    return prologue[static_cast<std::size_t>(index)];
  }
  index -= length(prologue);
  if (index < repeats * length(period)) {
    return shifted(period[static_cast<std::size_t>(index % length(period))], *this, index / length(period));
  }
  index -= repeats * length(period);
  return shifted(epilogue[static_cast<std::size_t>(index)], *this, repeats);
}

ActionCursor::ActionCursor(const WorkerProgram& program)
    : program_(&program), here_(program.prologue.data()), end_(here_ + program.prologue.size()) {}

bool ActionCursor::enter_next_part() {
  // Part 0 is the prologue, part 1 + j is repetition j of the period, part 1 + repeats is the epilogue.
  while (here_ == end_) {
    if (parts_entered_ == program_->repeats + 2) {
      return false;
    }
    repetition_ = parts_entered_ - 1;
    const std::vector<Action>& part = repetition_ < program_->repeats ? program_->period : program_->epilogue;
    here_ = part.data();
    end_ = here_ + part.size();
    ++parts_entered_;
  }
  return true;
}

void ActionCursor::seek(std::int64_t position) {
  *this = ActionCursor(*program_);
  position_ = position;
  std::int64_t skip = std::min(position, length(program_->prologue));
  here_ += skip;
  position -= skip;
  if (position == 0) {
    return;
  }
  const std::int64_t period = length(program_->period);
  const std::int64_t whole = period == 0 ? program_->repeats : std::min(program_->repeats, position / period);
  parts_entered_ = 1 + whole;
  enter_next_part();
  here_ += position - whole * period;
}

std::vector<Action> expand(const WorkerProgram& program) {
  std::vector<Action> actions;
  actions.reserve(static_cast<std::size_t>(program.size()));
  ActionCursor cursor(program);
  while (const auto action = cursor.next()) {
    actions.push_back(*action);
  }
  return actions;
}

}  // namespace pipedream

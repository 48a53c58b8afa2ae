// What every worker does, in order, for a run of any length: prologue, a repeated period, epilogue.
//
// The storage does not grow with the number of microbatches. In the j-th repetition (j = 0, 1, ...) an action of the
// period stands for the action whose microbatch is greater by j * microbatch_shift and whose version, where it has one,
// is greater by j * version_shift[its stage]; the epilogue is shifted by `repeats` such steps. Values, no threading
// rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipedream/action.h"

namespace pipedream {

struct WorkerProgram {
  std::vector<Action> prologue;
  std::vector<Action> period;
  std::vector<Action> epilogue;
  std::int64_t repeats = 0;
  std::int64_t microbatch_shift = 0;
  std::vector<std::int64_t> version_shift;  // by stage; 0 for stages that the worker does not host

  std::int64_t size() const;            // number of actions
  Action at(std::int64_t index) const;  // O(1); throws std::out_of_range

  bool operator==(const WorkerProgram&) const = default;
};

// Walks a program from its start; a step costs a few nanoseconds. The program must outlive the cursor unchanged.
class ActionCursor {
 public:
  explicit ActionCursor(const WorkerProgram& program);

  std::optional<Action> next() {
    if (here_ == end_ && !enter_next_part()) {
      return std::nullopt;
    }
    Action action = *here_++;
    ++position_;
    if (repetition_ > 0) {
      action.microbatch += repetition_ * program_->microbatch_shift;
      if (action.version >= 0) {
        action.version += repetition_ * program_->version_shift[static_cast<std::size_t>(action.stage)];
      }
    }
    return action;
  }

  // Number of actions before the one that next() returns.
  std::int64_t position() const { return position_; }

  // O(1); 0 <= position <= size of the program.
  void seek(std::int64_t position);

 private:
  bool enter_next_part();

  const WorkerProgram* program_;
  const Action* here_;
  const Action* end_;
  std::int64_t parts_entered_ = 1;  // the prologue, each repetition and the epilogue are parts
  std::int64_t repetition_ = 0;
  std::int64_t position_ = 0;
};

struct Program {
  std::vector<WorkerProgram> workers;

  bool operator==(const Program&) const = default;
};

// All actions, written out; for tests and printing.
std::vector<Action> expand(const WorkerProgram& program);

// The actions with spaces between them. A repeated period is written in braces, after how often it occurs and by how
// much microbatches and the versions of each stage grow with each occurrence:
//
//   F0.0@v0 S0>1.0 repeat 98 k+1 v+1,0 { r1>0.0 R1>0.3 B0.0@v0 U0.0@v1 F0.1@v1 s0>1.0 S0>1.1 } r1>0.1 B0.1@v1 U0.1@v2
std::string to_text(const WorkerProgram& program);

// One line a worker: "worker 0: F0.0@v0 S0>1.0 ...".
std::string to_text(const Program& program);

// Reads what to_text wrote, or what a person did: workers in order, each on a line; empty lines and lines that start
// with '#' do not count. Throws ConfigError with line and column.
Program parse_program(const std::string& text);

}  // namespace pipedream

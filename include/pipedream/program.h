// What every worker does, in order, for a run of any length: prologue, a repeated period, epilogue.
//
// The storage does not grow with the number of microbatches. In the j-th repetition (j = 0, 1, ...) an action of the
// period stands for the action whose microbatch is greater by j * microbatch_shift and whose version is greater by
// j * version_shift[stage of the version]; the epilogue is shifted by `repeats` such steps. Values, no threading rules.
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
  std::vector<std::int64_t> version_shift;  // by stage

  std::int64_t size() const;            // number of actions
  Action at(std::int64_t index) const;  // O(1); throws std::out_of_range
};

// Walks a program from its start. The program must outlive the cursor.
class ActionCursor {
 public:
  explicit ActionCursor(const WorkerProgram& program) : program_(&program) {}
  std::optional<Action> next();
  std::int64_t position() const { return position_; }

 private:
  const WorkerProgram* program_;
  std::int64_t position_ = 0;
};

struct Program {
  std::vector<WorkerProgram> workers;
};

// All actions, written out; for tests and printing.
std::vector<Action> expand(const WorkerProgram& program);

// One line per action of each worker, "worker 0: F0.0@v0 S0>1.0 ...".
std::string to_text(const WorkerProgram& program);

// Throws ConfigError with line and column.
Program parse_program(const std::string& text);

}  // namespace pipedream

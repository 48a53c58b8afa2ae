// The memory of one worker of a stage, from the profile.
//
// A worker holds its weight versions, the optimizer's state, the buffers, gradients that wait for their update, what
// its microbatches in flight keep for their backwards, and messages on their way. To that comes what the pass at work
// takes for itself, or the update with the gradients that only live until then. Of model inputs what layers keep
// counts, and the copies of recomputation.
#pragma once

#include <cstdint>
#include <vector>

#include "partitioner/pass_memory.h"
#include "pipedream/algorithm.h"
#include "pipedream/plan.h"
#include "pipedream/schedule.h"
#include "pipedream/simulate.h"
#include "pipedream/state_factors.h"

namespace pipedream::detail {

struct StageFootprint {
  std::int64_t parameter_bytes = 0;
  std::int64_t buffer_bytes = 0;
  std::int64_t greatest_layer_bytes = 0;  // parameters of one layer
  PassMemory pass = {};
};

// How a stage uses its memory.
struct StageUse {
  // Of the gradients, held from one microbatch to the next. Where each microbatch makes an update of its own there is
  // none: its gradients live no longer than its backward and the update.
  int gradient_copies = 0;
  // No forward comes between the backwards of an update: where their gradients are first held, a microbatch is gone.
  bool gradients_replace_activations = false;
  bool recompute = false;  // all microbatches in flight but one keep only what came in
  double optimizer_state_factor = 1;
  double correction_state_factor = 0;
};

// A stage of a plan, or one that a search only thinks of.
struct UsedStage {
  int replicas = 1;
  int reduce_delay = 0;
  std::int64_t microbatches_per_update = 1;  // of all replicas
  bool is_late = false;                      // it has an update_delay
};
// Without recomputation.
StageUse use_of(Algorithm algorithm, const UsedStage& stage, StateFactors state_factors);

// By what it is held for: the byte counts of StageCosts, but for messages. Sums past 2^63 stay there.
StageCosts memory_costs(const StageFootprint& footprint, const StageUse& use);

// The peak of a worker that has this stage only.
std::int64_t memory_bytes(const StageCosts& costs, const StageLoad& load);

// Of a stage that does one microbatch after the other and has no update_delay.
std::int64_t memory_bytes(const StageFootprint& footprint, int gradient_copies, StateFactors state_factors);

}  // namespace pipedream::detail

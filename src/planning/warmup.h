// What depths mean for the stages around.
#pragma once

#include <cstdint>

#include "pipedream/plan.h"

namespace pipedream::detail {

// ceil(r_{s+1} (w(s+1) + 1) / r_s): with it the replicas of a stage have out what those of the next need at hand.
inline int default_stage_warmup(int replicas, int next_replicas, int next_warmup) {
  const int needed = next_replicas * (next_warmup + 1);
  return (needed + replicas - 1) / replicas;
}

// How many microbatches a stage lets out before it needs the gradient of the first of them. When replicas wait for
// their round's reduction before the next forward, the worst moment is when only one gradient of the round is missing.
inline std::int64_t let_out(const StagePlan& stage) {
  const std::int64_t rounds_before = std::int64_t{stage.replicas()} * stage.warmup;
  return rounds_before + (stage.reduce_delay == 0 ? 1 : stage.replicas());
}

// A replica does w + 1 forwards before it sends the gradient of the first, so more than r w microbatches must get past
// every earlier stage.
inline std::int64_t waited_for(const StagePlan& stage) { return std::int64_t{stage.replicas()} * stage.warmup + 1; }

}  // namespace pipedream::detail

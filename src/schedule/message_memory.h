// What messages between processes and reductions hold, as src/transport/mpi does it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "pipedream/plan.h"

namespace pipedream::detail {

// A channel keeps the memory of messages that are at least this large, for the next one.
constexpr std::int64_t kLeastKeptBytes = 1 << 16;

// Gradients of the other replicas, as far as a worker sums them up at one time while it goes on to compute.
inline std::int64_t summed_bytes(const StagePlan& stage, std::int64_t parameter_bytes) {
  constexpr std::int64_t kMostAtOnce = std::int64_t{2} << 20;
  if (stage.reduce_delay == 0) return 0;  // nothing else is at work
  return std::min(parameter_bytes / stage.replicas(), kMostAtOnce) * (stage.replicas() - 1);
}

}  // namespace pipedream::detail

// What a worker holds of a stage, from the little that it depends on: for a planner that has no plan yet.
#pragma once

#include <cstdint>

#include "pipedream/algorithm.h"
#include "pipedream/schedule.h"

namespace pipedream::detail {

struct LoadedStage {
  int replicas = 1;
  int warmup = 0;
  std::int64_t microbatches_per_update = 1;
  std::int64_t first_stage_versions = 1;  // below; only under vertical sync
};

// stage_load() of all algorithms but interleaved_1f1b.
StageLoad load_of(Algorithm algorithm, const LoadedStage& stage);

// How many versions all stages hold under vertical sync, by the first stage of the plan.
std::int64_t first_stage_versions(int warmup, int reduce_delay, bool is_straight);

}  // namespace pipedream::detail

// Plans without a model, to look at an algorithm.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "partitioner/given_depths.h"
#include "pipedream/plan.h"

namespace pipedream {

struct BarePlan {
  Algorithm algorithm = Algorithm::pipedream;
  int workers = 0;            // 0: the sum of the replicas
  int stages = 0;             // 0: one for each of the replicas, else one a worker, the only one under data_parallel
  std::vector<int> replicas;  // by stage; empty: stage s is on worker s mod workers, the only one on all
  GivenDepths depths;         // without: the default ones where the algorithm has any
  std::int64_t microbatches_per_update = 0;
};

// Layers "stage0", "stage1", ..., one a stage; workers in the order of the stages. Throws ConfigError where numbers of
// workers, replicas and depths do not fit each other, and as validate(plan) does.
Plan make_bare_plan(const BarePlan& wanted);

}  // namespace pipedream

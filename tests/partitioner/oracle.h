// The planner's answers by brute force: every plan of a small model, each costed from the definitions alone.
//
// Shares no code with the planner. All costs of the random models are small integers, so sums are exact and answers can
// be compared with ==.
#pragma once

#include <optional>
#include <random>
#include <vector>

#include "pipedream/partition.h"

namespace pipedream::testing {

// A random model of `layers` layers: a chain or a DAG, where every layer leads to the loss.
Profile random_profile(std::mt19937_64& random, int layers, bool chain);

// 1 byte takes 1 us, so that costs stay integers. Messages take no memory.
inline Topology small_topology(int workers) {
  Topology topology = uniform_topology(workers, 1e6);
  topology.one_process = true;
  return topology;
}

struct OraclePlan {
  double cost_us = 0;     // bottleneck, or the sum under model_parallel
  std::vector<int> ends;  // of the stages, in layers
  std::vector<int> replicas;
  std::int64_t greatest_bytes = 0;  // memory of the stage that needs most

  int workers() const;
  int stages() const { return static_cast<int>(ends.size()); }
};

// Fewest workers, then fewest stages among the best; for model_parallel the least greatest_bytes first. Empty: no plan.
std::optional<OraclePlan> best_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options);

// Memory of one worker of the stage [first, end), of threads of one process, by walking over every layer and tensor.
std::int64_t stage_bytes(const Profile& profile, int first, int end, int warmup, int gradient_copies,
                         double state_factor);

}  // namespace pipedream::testing

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

// One or several levels, each of its own bandwidth. Messages take no memory.
Topology random_topology(std::mt19937_64& random, const std::vector<int>& counts);

// Layers by number, as bits.
using Layers = unsigned;
inline bool has(Layers layers, int layer) { return (layers >> layer & 1) != 0; }
int index_of(const Profile& profile, const std::string& layer);

// All downward-closed sets of layers; the last layer is in none but the whole.
std::vector<Layers> downward_closed(const Profile& profile);

struct CrossingBytes {
  double forward = 0;
  double backward = 0;  // gradients
};

// Of a cut, by the layers before it: each tensor once.
std::vector<CrossingBytes> crossing_bytes(const Profile& profile);

struct OracleStage {
  Layers before = 0;  // what earlier stages have
  Layers until = 0;   // with its own
  int replicas = 1;   // in the whole plan
};

struct OraclePlan {
  double cost_us = 0;  // bottleneck, or the sum under model_parallel
  std::vector<OracleStage> stages;
  std::int64_t greatest_bytes = 0;  // memory of the stage that needs most

  int workers() const;
};

// Fewest workers, then fewest stages among the best on one level; for model_parallel, on one level only, the least
// greatest_bytes first. Empty: no plan.
std::optional<OraclePlan> best_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options);

// The least bottleneck in the arithmetic of the released optimizer. Empty: no plan.
std::optional<double> best_compat_us(const Profile& profile, const Topology& topology, bool straight);

// By which a stage has as many microbatches out as the next one's replicas need.
std::vector<int> least_depths(const std::vector<OracleStage>& stages);

struct OracleLoad {
  std::int64_t versions = 1;
  std::int64_t in_flight = 1;
  int gradient_copies = 0;   // from one microbatch to the next
  bool one_is_gone = false;  // of those in flight, when there are gradients
};

// Of stage s, when each has its depth.
OracleLoad load_of_stage(const PartitionOptions& options, const std::vector<OracleStage>& stages,
                         const std::vector<int>& depth, std::size_t s);

// Memory of one worker of a stage, of threads of one process, by walking over every layer and tensor.
std::int64_t stage_bytes(const Profile& profile, Layers layers, const OracleLoad& load, double state_factor);

}  // namespace pipedream::testing

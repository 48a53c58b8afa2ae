// Whether a stage fits into a worker's memory, under the algorithm that will be run and before there is a plan.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "partitioner/footprints.h"
#include "pipedream/algorithm.h"
#include "pipedream/state_factors.h"

namespace pipedream::detail {

// What the search holds fixed while it looks for a plan.
struct MemoryRule {
  Algorithm algorithm = Algorithm::pipedream;
  std::int64_t microbatches_per_update = 1;  // of a stage without replicas; 2BW only asks if more than one
  std::int64_t first_stage_versions = 1;     // under vertical sync: at most so many
  bool is_straight = false;                  // the plan, for vertical sync
};

// A worker's share of a stage: the stage's replicas in the whole plan, and the depth.
struct ReplicatedStage {
  int first = 0;
  int end = 0;
  int replicas = 1;
  int warmup = 0;
};

class StageMemory {
 public:
  // Profile and states must outlive this.
  StageMemory(const Profile& profile, const PlanningStates& states, StateFactors state_factors);

  void set_limit(std::int64_t limit_bytes) { limit_bytes_ = limit_bytes; }
  void set_rule(const MemoryRule& rule);
  bool has_depth() const { return traits_.has_warmup; }
  // As planned (partitioner/partition.cpp): several replicas of one stage among others reduce with a delay of 1 where
  // the algorithm has it.
  bool fits(const ReplicatedStage& stage);
  // No stage from `first` to `end` or later fits; only where states are ordered.
  bool is_hopeless(int first, int end) const;

 private:
  const StageFootprint& footprint(int first, int end);

  const PlanningStates& states_;
  StageFootprints footprints_;
  StateFactors state_factors_;
  std::int64_t limit_bytes_ = 0;
  MemoryRule rule_;
  AlgorithmTraits traits_;
  std::unordered_map<std::int64_t, StageFootprint> walked_;  // by both states
};

}  // namespace pipedream::detail

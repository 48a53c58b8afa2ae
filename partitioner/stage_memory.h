// Whether a stage fits into a worker's memory, under the algorithm that will be run and before there is a plan.
#pragma once

#include <cstdint>
#include <vector>

#include "partitioner/footprints.h"
#include "pipedream/algorithm.h"
#include "pipedream/state_factors.h"
#include "schedule/load.h"

namespace pipedream::detail {

// What the search holds fixed while it looks for a plan.
struct MemoryRule {
  Algorithm algorithm = Algorithm::pipedream;
  std::int64_t microbatches_per_update = 1;  // of a stage without replicas; 2BW only asks if more than one
  // Under vertical sync: what every stage holds, and what the depth of the first one may ask for at most.
  std::int64_t versions = 1;
  std::int64_t most_versions = 1;
  bool is_straight = false;  // the plan, for vertical sync
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

  void set_limit(std::int64_t limit_bytes);
  void set_rule(const MemoryRule& rule);
  bool has_depth() const { return traits_.has_warmup; }
  // As planned (partitioner/partition.cpp): several replicas of one stage among others reduce with a delay of 1 where
  // the algorithm has it.
  bool fits(const ReplicatedStage& stage);
  // False: no replicas and no depth make the stage fit.
  bool may_fit(int first, int end);
  // No stage from `first` to `end` or later fits; only where states are ordered.
  bool is_hopeless(int first, int end) const;

 private:
  // Of a range of states.
  struct Range {
    StageFootprint footprint = {};
    int rule = -1;  // that what follows is of; -1: nothing is known yet
    // Microbatches that may be in flight, by whether the stage has replicas and whether it has depth; 0: it never fits.
    std::int64_t most_in_flight[2][2] = {};
  };

  const Range& range(int first, int end);
  std::int64_t most_in_flight(const StageFootprint& footprint, const UsedStage& used) const;
  LoadedStage loaded(int replicas, int warmup) const;

  const PlanningStates& states_;
  StageFootprints footprints_;
  StateFactors state_factors_;
  std::int64_t limit_bytes_ = 0;
  MemoryRule rule_;
  AlgorithmTraits traits_;
  int rule_number_ = 0;
  std::vector<std::vector<Range>> ranges_;  // by first state and by what comes after that
};

}  // namespace pipedream::detail

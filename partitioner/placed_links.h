// What the stages of a plan share, given the workers that they are on: links and reductions, level by level.
//
// Two stages on the same components of a level meet inside of them. A stage on several components of a level, inside
// one of the next, is reduced there together with its neighbours on the same components, as the planner's recurrence
// has it: a stage of an outer level is a pipeline inside. What all copies do at once, each for its own microbatches,
// takes a microbatch of the whole pipeline that much less.
#pragma once

#include <cstdint>
#include <vector>

#include "partitioner/level_links.h"
#include "partitioner/states.h"
#include "pipedream/plan.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

class PlacedLinks {
 public:
  // A worker of the plan is the same worker of the topology. Without levels nothing takes any time.
  PlacedLinks(const Plan& plan, const Topology& topology);

  // One round of the stage's gradients, over all levels.
  double allreduce_us(std::size_t stage, std::int64_t parameter_bytes) const;
  // Both directions of the cut after the stage, for one microbatch, at the level where it meets the next stage; nothing
  // after the last one.
  double transfer_us(std::size_t stage, const CutBytes& cut) const;
  // The same per microbatch of the whole pipeline.
  double transfer_share_us(std::size_t stage, const CutBytes& cut) const;
  // What takes a replica so long takes the pipeline less.
  double compute_share_us(std::size_t stage, double us) const;

  struct Reduction {
    std::size_t first = 0;  // stages
    std::size_t last = 0;
    double share_us = 0;  // per microbatch of the whole pipeline
  };
  // All that take any time, innermost first. parameter_bytes: by stage.
  std::vector<Reduction> reductions(const std::vector<std::int64_t>& parameter_bytes) const;

 private:
  // Of a stage: the components of a level that it has workers in.
  const std::vector<int>& components(std::size_t level, std::size_t stage) const { return components_[level][stage]; }
  // Components of the level inside each of the next.
  int replicas(std::size_t level, std::size_t stage) const;
  double share_us(std::size_t from_level, std::size_t stage, double us) const;
  std::size_t meeting_level(std::size_t stage) const;

  std::vector<LevelLinks> links_;
  std::size_t stages_;
  std::vector<std::vector<std::vector<int>>> components_;  // by level (0: workers; the last: everything) and stage
};

}  // namespace pipedream::detail

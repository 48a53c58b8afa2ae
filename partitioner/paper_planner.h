// The best plan of the paper's cost model on all levels of a topology, solved inside out.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "partitioner/level_table.h"
#include "partitioner/paper_search.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

struct FoundPipeline {
  std::vector<FoundStage> stages;  // on the outermost level
  double bottleneck_us = 0;
};

class PaperPlanner {
 public:
  // States must outlive this. Makes the tables of all levels but the outermost.
  PaperPlanner(const PlanningStates& states, const Topology& topology, const PaperOptions& options);

  // The least bottleneck, and among such plans the one of PaperSearch. `memory` may be null. Empty: no plan.
  std::optional<FoundPipeline> fastest(StageMemory* memory) const;
  // Without a memory limit.
  std::optional<double> least_us() const;
  // The plan of PaperSearch within a bound.
  std::optional<FoundPipeline> plan_within(double bound_us, StageMemory* memory) const;

 private:
  // As the stages are cut inside, which memory may have made worse than the tables say.
  double bottleneck_us(const std::vector<FoundStage>& stages, std::size_t level) const;
  std::vector<PaperLevel> levels() const;

  std::vector<int> components_;  // by level
  PaperOptions options_;
  std::vector<std::unique_ptr<StageTable>> tables_;
  std::vector<std::unique_ptr<PaperCosts>> costs_;
};

}  // namespace pipedream::detail

// The best plan of the released optimizer's cost model on all levels of a topology, solved inside out.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "partitioner/compat_search.h"
#include "partitioner/level_table.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

class CompatPlanner {
 public:
  // The graph must outlive this. Memory counts where the topology limits it.
  CompatPlanner(const CompatGraph& graph, const Topology& topology, bool straight);

  // Empty: no plan.
  std::optional<std::vector<FoundStage>> fastest() const;
  // Of stages on the outermost level.
  double bottleneck_us(const std::vector<FoundStage>& stages) const;

 private:
  std::vector<FoundStage> inside(std::size_t level, const FoundStage& stage) const;

  std::vector<int> components_;  // by level
  bool straight_;
  std::vector<std::unique_ptr<StageTable>> tables_;
  std::vector<std::unique_ptr<CompatCosts>> costs_;
};

}  // namespace pipedream::detail

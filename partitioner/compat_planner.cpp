#include "partitioner/compat_planner.h"

namespace pipedream::detail {

CompatPlanner::CompatPlanner(const CompatGraph& graph, const Topology& topology, bool straight) : straight_(straight) {
  CompatCosts::Level of_level;
  for (std::size_t l = 0; l < topology.levels.size(); ++l) {
    const TopologyLevel& level = topology.levels[l];
    of_level.bandwidth_bytes_per_us = level.bandwidth_bytes_per_s > 0 ? level.bandwidth_bytes_per_s / 1e6 : kInfinity;
    components_.push_back(level.count);
    costs_.push_back(std::make_unique<CompatCosts>(graph, of_level, l > 0 ? tables_.back().get() : nullptr,
                                                   topology.memory_bytes_per_worker));
    of_level.components_below = level.count;
    of_level.workers_below *= level.count;
    if (l + 1 == topology.levels.size()) break;
    tables_.push_back(std::make_unique<StageTable>(tabulate(*costs_.back(), {level.count, straight, true})));
  }
}

double CompatPlanner::bottleneck_us(const std::vector<FoundStage>& stages) const {
  return detail::bottleneck_us(*costs_.back(), stages);
}

// As fast as the table says.
std::vector<FoundStage> CompatPlanner::inside(std::size_t level, const FoundStage& stage) const {
  CompatSearch search(*costs_[level], {components_[level], straight_, stage.first, stage.end});
  std::vector<FoundStage> stages = *search.plan_within(tables_[level]->at(stage.first, stage.end));
  if (level == 0) return stages;
  for (FoundStage& inner : stages) inner.inner = inside(level - 1, inner);
  return stages;
}

std::optional<std::vector<FoundStage>> CompatPlanner::fastest() const {
  const CompatCosts& costs = *costs_.back();
  const int last = costs.states().last();
  const CompatOptions whole{components_.back(), straight_, 0, last};
  std::optional<std::vector<FoundStage>> plan;
  if (is_small(costs.states(), components_.back())) {
    const double us = tabulate_whole(costs, {components_.back(), straight_, true});
    if (us < kInfinity) plan = CompatSearch(costs, whole).plan_within(us);
  } else {
    plan = fastest_compat(costs, whole);
  }
  if (!plan || costs_.size() == 1) return plan;
  for (FoundStage& stage : *plan) stage.inner = inside(costs_.size() - 2, stage);
  return plan;
}

}  // namespace pipedream::detail

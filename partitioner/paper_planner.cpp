#include "partitioner/paper_planner.h"

#include "partitioner/bound_search.h"

namespace pipedream::detail {

PaperPlanner::PaperPlanner(const PlanningStates& states, const Topology& topology, const PaperOptions& options)
    : options_(options) {
  int workers_below = 1;
  for (std::size_t l = 0; l < topology.levels.size(); ++l) {
    const TopologyLevel& level = topology.levels[l];
    components_.push_back(level.count);
    costs_.push_back(
        std::make_unique<PaperCosts>(states, level, l > 0 ? tables_.back().get() : nullptr, workers_below));
    workers_below *= level.count;
    if (l + 1 == topology.levels.size()) break;
    const LevelOptions of_level{level.count, options.straight, options.use_all};
    tables_.push_back(std::make_unique<StageTable>(tabulate(*costs_.back(), of_level)));
  }
}

std::vector<PaperLevel> PaperPlanner::levels() const {
  std::vector<PaperLevel> result;
  for (std::size_t l = 0; l < costs_.size(); ++l) result.push_back({costs_[l].get(), components_[l]});
  return result;
}

double PaperPlanner::bottleneck_us(const std::vector<FoundStage>& stages) const {
  return detail::bottleneck_us(*costs_.back(), stages);
}

// Without a memory limit.
std::optional<double> PaperPlanner::least_us() const {
  const PaperCosts& costs = *costs_.back();
  if (is_small(costs.states(), components_.back())) {
    const double us = tabulate_whole(costs, {components_.back(), options_.straight, options_.use_all});
    return us < kInfinity ? std::optional(us) : std::nullopt;
  }
  PaperOptions relaxed = options_;
  relaxed.use_all = false;
  // Of the outermost level alone: what is inside does not change the bottleneck.
  PaperSearch any({{&costs, components_.back()}}, relaxed, nullptr);
  auto plan = least_bottleneck(costs, 0, [&](double bound_us) { return any.plan_within(bound_us); });
  if (!plan || !options_.use_all) return plan ? std::optional(bottleneck_us(*plan)) : std::nullopt;
  PaperSearch all({{&costs, components_.back()}}, options_, nullptr);
  plan = least_bottleneck(costs, bottleneck_us(*plan), [&](double bound_us) { return all.plan_within(bound_us); });
  return plan ? std::optional(bottleneck_us(*plan)) : std::nullopt;
}

std::optional<std::vector<FoundStage>> PaperPlanner::fastest(StageMemory* memory) const {
  const std::optional<double> unlimited_us = least_us();
  if (!unlimited_us) return std::nullopt;
  PaperSearch search(levels(), options_, memory);
  if (!memory) return search.plan_within(*unlimited_us);
  return least_bottleneck(*costs_.back(), *unlimited_us, [&](double bound_us) { return search.plan_within(bound_us); });
}

}  // namespace pipedream::detail

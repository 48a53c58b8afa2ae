#include "partitioner/paper_planner.h"

#include <algorithm>

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

double PaperPlanner::bottleneck_us(const std::vector<FoundStage>& stages, std::size_t level) const {
  const PaperCosts& costs = *costs_[level];
  double worst = 0;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const FoundStage& stage = stages[s];
    const bool is_cut = level > 0 && !stage.inner.empty();
    const double component_us =
        is_cut ? bottleneck_us(stage.inner, level - 1) : costs.component_us(stage.first, stage.end);
    worst = std::max(worst, costs.stage_us(component_us, stage));
    if (s > 0) worst = std::max(worst, costs.link_us(stage.first));
  }
  return worst;
}

std::optional<double> PaperPlanner::least_us() const {
  const PaperCosts& costs = *costs_.back();
  if (is_small(costs.states(), components_.back())) {
    const double us = tabulate_whole(costs, {components_.back(), options_.straight, options_.use_all});
    return us < kInfinity ? std::optional(us) : std::nullopt;
  }
  // Of the outermost level alone: what is inside does not change the bottleneck.
  const auto least = [&](PaperSearch& search, double lower) -> std::optional<double> {
    const auto plan = least_bottleneck(
        lower, [&](double bound_us) { return search.plan_within(bound_us); },
        [&](const std::vector<FoundStage>& stages) { return bottleneck_us(stages, costs_.size() - 1); });
    return plan ? std::optional(bottleneck_us(*plan, costs_.size() - 1)) : std::nullopt;
  };
  PaperOptions relaxed = options_;
  relaxed.use_all = false;
  PaperSearch any({{&costs, components_.back()}}, relaxed, nullptr);
  const double compute_us = costs.states().compute_us(costs.states().last());
  // Less than the compute of all workers, but for the rounding of sums.
  const auto any_us = least(any, compute_us * (1 - 1e-9) / costs.workers_below() / components_.back());
  if (!any_us || !options_.use_all) return any_us;
  PaperSearch all({{&costs, components_.back()}}, options_, nullptr);
  return least(all, *any_us);
}

std::optional<FoundPipeline> PaperPlanner::plan_within(double bound_us, StageMemory* memory) const {
  auto plan = PaperSearch(levels(), options_, memory).plan_within(bound_us);
  if (!plan) return std::nullopt;
  const double us = bottleneck_us(*plan, costs_.size() - 1);
  return FoundPipeline{std::move(*plan), us};
}

std::optional<FoundPipeline> PaperPlanner::fastest(StageMemory* memory) const {
  const std::optional<double> unlimited_us = least_us();
  if (!unlimited_us) return std::nullopt;
  if (!memory) return plan_within(*unlimited_us, nullptr);
  return least_bottleneck(
      *unlimited_us, [&](double bound_us) { return plan_within(bound_us, memory); },
      [](const FoundPipeline& plan) { return plan.bottleneck_us; }, true);
}

}  // namespace pipedream::detail

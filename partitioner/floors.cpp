#include "partitioner/floors.h"

#include <algorithm>

#include "schedule/share.h"

namespace pipedream::detail {

double floor_us(const PlanningStates& states, const std::vector<PlacedStage>& stages, const PlannedAlgorithm& under) {
  const AlgorithmTraits traits = traits_of(under.algorithm);
  if (under.algorithm == Algorithm::model_parallel) return states.compute_us(states.last());
  std::int64_t workers = 0;
  for (const PlacedStage& stage : stages) workers += static_cast<std::int64_t>(stage.workers.size());
  const std::int64_t by_default = under.algorithm == Algorithm::data_parallel ? workers : 4 * workers;
  const std::int64_t update = under.microbatches_per_update > 0 ? under.microbatches_per_update : by_default;
  double floor = 0;
  bool is_chained = states.are_ordered();  // this stage waits for all before it, and they for it
  for (const PlacedStage& stage : stages) {
    const double compute_us = states.compute_us(stage.first, stage.end);
    const auto replicas = static_cast<std::int64_t>(stage.workers.size());
    is_chained = is_chained && (stage.first == 0 || states.cut(stage.first).backward > 0);
    if (traits.flushes) {
      const double own_us = static_cast<double>(ceil_div(update, replicas)) * compute_us;
      const double others_us = is_chained ? states.compute_us(stage.first) : 0;
      floor = std::max(floor, (others_us + own_us) / static_cast<double>(update));
    } else {
      floor = std::max(floor, compute_us / static_cast<double>(replicas));
    }
  }
  return floor;
}

PlannedPlaces::PlannedPlaces(const Profile& profile, const PlanningStates& states) : states_(states) {
  for (const LayerProfile& layer : profile.layers) layers_.emplace(layer.name, static_cast<int>(layers_.size()));
  for (int s = 0; s < states.count(); ++s) state_of_.emplace(states.set(s), s);
}

std::optional<std::vector<PlacedStage>> PlannedPlaces::of(const Plan& plan) const {
  std::vector<PlacedStage> stages;
  LayerSet until(static_cast<int>(layers_.size()));
  int first = 0;
  for (const StagePlan& stage : plan.stages) {
    for (const std::string& layer : stage.layers) until.insert(layers_.at(layer));
    const auto state = state_of_.find(until);
    if (state == state_of_.end()) return std::nullopt;
    stages.push_back({first, state->second, stage.workers});
    first = state->second;
  }
  return stages;
}

}  // namespace pipedream::detail

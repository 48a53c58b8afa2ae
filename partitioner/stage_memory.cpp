#include "partitioner/stage_memory.h"

#include "schedule/load.h"

namespace pipedream::detail {

StageMemory::StageMemory(const Profile& profile, const PlanningStates& states, StateFactors state_factors)
    : states_(states), footprints_(profile), state_factors_(state_factors) {}

void StageMemory::set_rule(const MemoryRule& rule) {
  rule_ = rule;
  traits_ = traits_of(rule.algorithm);
}

bool StageMemory::fits(const ReplicatedStage& stage) {
  const bool is_only = stage.first == 0 && stage.end == states_.last();
  const int delay = traits_.delays_reduction && stage.replicas > 1 && !is_only ? 1 : 0;
  if (rule_.algorithm == Algorithm::vertical_sync && stage.first == 0) {
    const bool is_straight = rule_.is_straight || (is_only && stage.replicas == 1);
    if (first_stage_versions(stage.warmup, delay, is_straight) > rule_.first_stage_versions) return false;
  }
  const StageLoad load = load_of(rule_.algorithm, {.replicas = stage.replicas,
                                                   .warmup = stage.warmup,
                                                   .microbatches_per_update = rule_.microbatches_per_update,
                                                   .first_stage_versions = rule_.first_stage_versions});
  const UsedStage used{.replicas = stage.replicas,
                       .reduce_delay = delay,
                       .microbatches_per_update = rule_.microbatches_per_update,
                       .is_late = stage.warmup > 0};
  const StageCosts costs =
      memory_costs(footprint(stage.first, stage.end), use_of(rule_.algorithm, used, state_factors_));
  return memory_bytes(costs, load) <= limit_bytes_;
}

bool StageMemory::is_hopeless(int first, int end) const {
  // Longer stages may hold fewer tensors, but never fewer parameters.
  const StageFootprint least{.parameter_bytes = states_.parameter_bytes(first, end)};
  return memory_bytes(least, 0, state_factors_) > limit_bytes_;
}

const StageFootprint& StageMemory::footprint(int first, int end) {
  const auto [place, is_new] = walked_.try_emplace(std::int64_t{first} * states_.count() + end);
  if (is_new) place->second = footprints_.of(states_, first, end);
  return place->second;
}

}  // namespace pipedream::detail

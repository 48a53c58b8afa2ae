#include "partitioner/stage_memory.h"

#include "schedule/load.h"

namespace pipedream::detail {

StageMemory::StageMemory(const Profile& profile, const PlanningStates& states, std::int64_t limit_bytes,
                         double optimizer_state_factor)
    : states_(states),
      footprints_(profile, states),
      limit_bytes_(limit_bytes),
      factor_(optimizer_state_factor),
      rows_(static_cast<std::size_t>(states.count())) {}

bool StageMemory::has_depth() const { return traits_of(rule_.algorithm).has_warmup; }

bool StageMemory::fits(const ReplicatedStage& stage) {
  const StageFootprint& footprint = row(stage.first)[static_cast<std::size_t>(stage.end - stage.first - 1)];
  const bool is_only = stage.first == 0 && stage.end == states_.last();
  const int delay = traits_of(rule_.algorithm).delays_reduction && stage.replicas > 1 && !is_only ? 1 : 0;
  if (rule_.algorithm == Algorithm::vertical_sync && stage.first == 0) {
    const bool is_straight = rule_.is_straight || (is_only && stage.replicas == 1);
    if (first_stage_versions(stage.warmup, delay, is_straight) > rule_.first_stage_versions) return false;
  }
  const StageLoad load = load_of(rule_.algorithm, {.replicas = stage.replicas,
                                                   .warmup = stage.warmup,
                                                   .microbatches_per_update = rule_.microbatches_per_update,
                                                   .first_stage_versions = rule_.first_stage_versions});
  return memory_bytes(footprint, load, delay, factor_) <= limit_bytes_;
}

bool StageMemory::is_hopeless(int first, int end) {
  // Longer stages may hold fewer tensors, but never fewer parameters.
  StageFootprint least = row(first)[static_cast<std::size_t>(end - first - 1)];
  least.in_flight_bytes = 0;
  return memory_bytes(least, {}, 0, factor_) > limit_bytes_;
}

const std::vector<StageFootprint>& StageMemory::row(int first) {
  auto& row = rows_[static_cast<std::size_t>(first)];
  if (!row.empty()) return row;
  if (states_.are_ordered() && kept_ >= 0) rows_[static_cast<std::size_t>(kept_)] = {};
  kept_ = first;
  row = footprints_.row(first);
  return row;
}

}  // namespace pipedream::detail

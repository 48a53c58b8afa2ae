#include "partitioner/stage_memory.h"

#include <algorithm>
#include <limits>

#include "partitioner/index.h"

namespace pipedream::detail {

StageMemory::StageMemory(const Profile& profile, const PlanningStates& states, StateFactors state_factors)
    : states_(states), footprints_(profile), state_factors_(state_factors), ranges_(at(states.count())) {}

void StageMemory::set_limit(std::int64_t limit_bytes) {
  limit_bytes_ = limit_bytes;
  ++rule_number_;
}

void StageMemory::set_rule(const MemoryRule& rule) {
  rule_ = rule;
  traits_ = traits_of(rule.algorithm);
  ++rule_number_;
}

bool StageMemory::fits(const ReplicatedStage& stage) {
  const bool is_only = stage.first == 0 && stage.end == states_.last();
  if (rule_.algorithm == Algorithm::vertical_sync && stage.first == 0) {
    const bool is_straight = rule_.is_straight || (is_only && stage.replicas == 1);
    const int delay = traits_.delays_reduction && stage.replicas > 1 && !is_only ? 1 : 0;
    if (first_stage_versions(stage.warmup, delay, is_straight) > rule_.most_versions) return false;
  }
  const std::int64_t in_flight = load_of(rule_.algorithm, loaded(stage.replicas, stage.warmup)).in_flight;
  return in_flight <= range(stage.first, stage.end).most_in_flight[stage.replicas > 1][stage.warmup > 0];
}

bool StageMemory::may_fit(int first, int end) {
  const Range& of = range(first, end);
  return std::max(of.most_in_flight[0][0], of.most_in_flight[1][0]) > 0;
}

bool StageMemory::is_hopeless(int first, int end) const {
  // Longer stages may hold fewer tensors, but never fewer parameters.
  const StageFootprint least{.parameter_bytes = states_.parameter_bytes(first, end)};
  return memory_bytes(least, 0, state_factors_) > limit_bytes_;
}

const StageMemory::Range& StageMemory::range(int first, int end) {
  std::vector<Range>& row = ranges_[at(first)];
  const std::size_t place = at(end - first - 1);
  if (place >= row.size()) row.resize(place + 1);
  Range& range = row[place];
  if (range.rule == rule_number_) return range;
  if (range.rule < 0) range.footprint = footprints_.of(states_, first, end);
  range.rule = rule_number_;
  const bool is_only = first == 0 && end == states_.last();
  for (const bool is_replicated : {false, true}) {
    for (const bool is_late : {false, true}) {
      const UsedStage used{.replicas = is_replicated ? 2 : 1,
                           .reduce_delay = traits_.delays_reduction && is_replicated && !is_only ? 1 : 0,
                           .microbatches_per_update = rule_.microbatches_per_update,
                           .is_late = is_late};
      range.most_in_flight[is_replicated][is_late] = most_in_flight(range.footprint, used);
    }
  }
  return range;
}

// Memory is linear in them. Each has a version of its own, or the versions do not depend on them.
std::int64_t StageMemory::most_in_flight(const StageFootprint& footprint, const UsedStage& used) const {
  const StageCosts costs = memory_costs(footprint, use_of(rule_.algorithm, used, state_factors_));
  const std::int64_t versions = load_of(rule_.algorithm, loaded(1, 0)).versions;
  const bool each_has_one = load_of(rule_.algorithm, loaded(1, 1)).versions > versions;
  const StageLoad none{.versions = each_has_one ? 0 : versions, .in_flight = 0};
  const std::int64_t room = limit_bytes_ - memory_bytes(costs, none);
  const std::int64_t each_bytes = costs.in_flight_bytes + (each_has_one ? costs.version_bytes : 0);
  if (room < 0) return 0;
  return each_bytes == 0 ? std::numeric_limits<std::int64_t>::max() : room / each_bytes;
}

LoadedStage StageMemory::loaded(int replicas, int warmup) const {
  return {.replicas = replicas,
          .warmup = warmup,
          .microbatches_per_update = rule_.microbatches_per_update,
          .first_stage_versions = rule_.versions};
}

}  // namespace pipedream::detail

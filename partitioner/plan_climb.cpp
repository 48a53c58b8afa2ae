#include "partitioner/plan_climb.h"

#include <algorithm>
#include <utility>

#include "partitioner/default_plan.h"
#include "partitioner/neighbours.h"
#include "partitioner/slack.h"
#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

// As many plans are all tried.
constexpr std::size_t kFew = 1'000;
// Plans of more are not changed.
constexpr std::size_t kMostStages = 256;

std::vector<int> key_of(const std::vector<PlacedStage>& stages) {
  std::vector<int> key;
  for (const PlacedStage& stage : stages) {
    key.push_back(-stage.end);
    key.insert(key.end(), stage.workers.begin(), stage.workers.end());
  }
  return key;
}

}  // namespace

PlanClimb::PlanClimb(const Profile& profile, const Topology& topology, const PartitionOptions& options,
                     const PlanningStates& states, PlanJudge& judge)
    : profile_(profile),
      topology_(topology),
      options_(options),
      states_(states),
      places_(profile, states),
      judge_(judge) {}

bool PlanClimb::from_few(JudgedPlan& best) {
  const NeighbourOptions all{topology_.workers(), options_.straight, options_.use_all_workers};
  const auto few = all_plans(states_, all, kFew);
  if (!few) return false;
  while (step(best, *few)) {
  }
  return true;
}

void PlanClimb::from(JudgedPlan& best) {
  const NeighbourOptions near{topology_.workers(), options_.straight, false};
  for (bool is_better = true; is_better;) {
    const auto stages = places_.of(best.plan);
    // Neighbours grow with the square of the stages, and each is a list of all stages.
    is_better = stages && stages->size() <= kMostStages && step(best, neighbours(*stages, states_, near));
  }
}

bool PlanClimb::step(JudgedPlan& best, const std::vector<Stages>& others) {
  std::vector<std::pair<double, const Stages*>> near;
  for (const Stages& other : others) {
    const double floor_us = floor_of(other);
    if (floor_us >= (1 - kLeastGain) * best.microbatch_us) continue;
    if (is_allowed(other) && !seen_.contains(key_of(other))) near.emplace_back(floor_us, &other);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [floor_us, other] : near) {
    if (!judge_.has_time()) return false;
    seen_.insert(key_of(*other));
    if (try_stages(best, *other)) return true;
  }
  return false;
}

double PlanClimb::floor_of(const Stages& stages) const {
  return floor_us(states_, stages, {options_.algorithm, options_.microbatches_per_update});
}

bool PlanClimb::is_allowed(const Stages& stages) const {
  if (!options_.use_all_workers) return true;
  std::size_t used = 0;
  for (const PlacedStage& stage : stages) used += stage.workers.size();
  return used == static_cast<std::size_t>(topology_.workers());
}

bool PlanClimb::try_stages(JudgedPlan& best, const Stages& stages) {
  Plan plan = default_plan(profile_, states_, {options_.algorithm, options_.microbatches_per_update}, stages);
  // Also of an only stage, where no other stage needs it: replicas compute while they reduce.
  if (traits_of(options_.algorithm).delays_reduction) set_delay(plan, 1);
  try {
    if (try_plan(best, judge_.with_slack(plan, std::max(floor_of(stages), best.microbatch_us / 4)))) return true;
    return is_depth_a_choice() && try_slacks(best, plan);
  } catch (const ConfigError&) {
    return false;  // an update does not have whole rounds of every stage
  }
}

bool PlanClimb::is_depth_a_choice() const {
  return traits_of(options_.algorithm).flushes || topology_.memory_bytes_per_worker > 0;
}

bool PlanClimb::try_slacks(JudgedPlan& best, Plan plan) {
  if (try_plan(best, plan)) return true;
  if (!traits_of(options_.algorithm).has_warmup || plan.stages.size() == 1) return false;
  for (const int slack : {1, static_cast<int>(std::min<std::int64_t>(microbatches_per_update(plan, 0), 1'000))}) {
    set_slack(plan, std::vector<int>(plan.stages.size() - 1, slack));
    if (try_plan(best, plan)) return true;
  }
  return false;
}

bool PlanClimb::try_plan(JudgedPlan& best, const Plan& plan) {
  for (const Plan& allowed : judge_.within_memory(plan)) {
    if (!judge_.has_time_for(allowed)) return false;
    JudgedPlan judged = judge_.simulated(allowed);
    if (judged.microbatch_us >= (1 - kLeastGain) * best.microbatch_us) continue;
    best = std::move(judged);
    return true;
  }
  return false;
}

}  // namespace pipedream::detail

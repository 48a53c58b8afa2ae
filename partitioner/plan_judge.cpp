#include "partitioner/plan_judge.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "partitioner/depth_limits.h"
#include "partitioner/planned_model.h"
#include "partitioner/slack.h"
#include "partitioner/transit.h"
#include "pipedream/depths.h"
#include "pipedream/simulate.h"
#include "schedule/share.h"

namespace pipedream::detail {
namespace {

// Of a stage, for each microbatch: computes, updates, and messages both ways, posted and waited for.
constexpr std::int64_t kActionsPerMicrobatch = 11;
// A simulation takes no more of the time than this, however long the steady state of the plan needs.
constexpr std::int64_t kSimulations = 8;
constexpr std::int64_t kLeastMicrobatches = 400;

}  // namespace

PlanJudge::PlanJudge(const Profile& profile, const Topology& topology, StateFactors state_factors,
                     std::int64_t most_actions)
    : profile_(profile), topology_(topology), state_factors_(state_factors), most_actions_(most_actions) {}

std::vector<Plan> PlanJudge::within_memory(const Plan& plan) {
  count_walk(plan);
  const std::int64_t limit_bytes = topology_.memory_bytes_per_worker;
  const DepthLimits limits(plan, profile_, planned_model(plan, profile_, topology_), state_factors_, limit_bytes);
  std::vector<Plan> allowed;
  Plan fitted = plan;
  if (limits.fit(fitted)) allowed.push_back(std::move(fitted));
  if (limit_bytes == 0 || traits_of(plan.algorithm).overwrites) return allowed;
  Plan recomputing = plan;
  bool is_other = false;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    if (plan.stages[s].recompute || limits.stage_bytes(plan, s) <= limit_bytes) continue;
    recomputing.stages[s].recompute = true;
    is_other = true;
  }
  if (is_other && limits.fit(recomputing)) allowed.push_back(std::move(recomputing));
  return allowed;
}

Plan PlanJudge::with_slack(const Plan& plan, double pace_us) {
  if (!traits_of(plan.algorithm).has_warmup || pace_us <= 0) return plan;
  count_walk(plan);
  std::vector<int> slack;
  for (const double us : transit_us(plan, simulation_costs(plan, profile_, topology_, state_factors_))) {
    slack.push_back(1 + static_cast<int>(std::ceil(us / (pace_us * plan.stages[slack.size()].replicas()))));
  }
  Plan deeper = plan;
  set_slack(deeper, slack);
  return deeper;
}

// The costs of stages are a walk over the tensors for each, and checks.
void PlanJudge::count_walk(const Plan& plan) {
  actions_ += static_cast<std::int64_t>(plan.stages.size() * profile_.tensors.size());
}

Segment PlanJudge::segment_of(const Plan& plan) const {
  Segment segment = steady_segment(plan);
  const std::int64_t each = kActionsPerMicrobatch * static_cast<std::int64_t>(plan.stages.size());
  const std::int64_t most = std::max(kLeastMicrobatches, most_actions_ / kSimulations / each);
  if (segment.microbatches <= most) return segment;
  const std::int64_t update = microbatches_per_update(plan, 0);
  segment.microbatches = ceil_div(std::max(most, 2 * update), update) * update;
  return segment;
}

std::int64_t PlanJudge::actions_of(const Plan& plan) const {
  return kActionsPerMicrobatch * static_cast<std::int64_t>(plan.stages.size()) * segment_of(plan).microbatches;
}

JudgedPlan PlanJudge::simulated(const Plan& plan) {
  const Segment segment = segment_of(plan);
  const Program program = make_program(plan, stage_links(plan, profile_), segment);
  const SimulationReport report =
      simulate(program, plan, segment, simulation_costs(plan, profile_, topology_, state_factors_));
  actions_ += report.actions;
  return {plan, report.microbatch_us, report.bound_us, report.limited_by};
}

JudgedPlan simulated(const Plan& plan, const Profile& profile, const Topology& topology, StateFactors state_factors) {
  constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
  return PlanJudge(profile, topology, state_factors, kNoLimit).simulated(plan);
}

double simulated_data_parallel_us(const Profile& profile, const Topology& topology, int workers) {
  std::vector<std::string> layers;
  for (const LayerProfile& layer : profile.layers) layers.push_back(layer.name);
  const Plan plan = single_stage_plan(layers, workers, Algorithm::data_parallel);
  return simulated(plan, profile, topology, {}).microbatch_us;
}

std::optional<JudgedPlan> PlanJudge::deepened(const JudgedPlan& judged) {
  constexpr double kTolerance = 0.005;
  const std::int64_t left = (most_actions_ - actions_) / 2;
  if (!traits_of(judged.plan.algorithm).has_warmup) return std::nullopt;
  const std::int64_t each = kActionsPerMicrobatch * static_cast<std::int64_t>(judged.plan.stages.size());
  if (2 * each * steady_segment(judged.plan).microbatches > left) return std::nullopt;
  JudgedPlan result = judged;
  const auto steps = choose_depths(result.plan, profile_, topology_,
                                   {.state_factors = state_factors_, .tolerance = kTolerance, .most_actions = left});
  actions_ += steps.back().actions;
  result.microbatch_us = steps.back().microbatch_us;
  result.limited_by = steps.back().limited_by;
  return result;
}

}  // namespace pipedream::detail

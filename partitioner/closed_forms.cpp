#include "partitioner/closed_forms.h"

#include "partitioner/dapple_planner.h"
#include "partitioner/default_plan.h"
#include "partitioner/depth_limits.h"
#include "partitioner/planned_model.h"
#include "partitioner/two_bw_planner.h"

namespace pipedream::detail {

namespace {

bool has_room(const Plan& plan, const Profile& profile, const Topology& topology, StateFactors state_factors) {
  const std::int64_t limit_bytes = topology.memory_bytes_per_worker;
  if (limit_bytes == 0) return true;
  const DepthLimits limits(plan, profile, planned_model(plan, profile, topology), state_factors, limit_bytes);
  return limits.worker_bytes(plan) <= limit_bytes;
}

// Under a limit, those that fit of more of them: where plans are few, of all.
std::vector<ClosedFormPlan> dapple(const Profile& profile, const PlanningStates& states, const Topology& topology,
                                   const PartitionOptions& options, std::size_t most) {
  constexpr std::size_t kMoreWithLimit = 30;
  const PlannedAlgorithm under{options.algorithm, options.microbatches_per_update};
  const Topology levels = levels_with_choice(topology);
  const bool is_limited = topology.memory_bytes_per_worker > 0;
  const DappleOptions search{.under = under,
                             .straight = options.straight,
                             .use_all = options.use_all_workers,
                             .most = most + (is_limited ? kMoreWithLimit : 0),
                             .keep_few = is_limited};
  std::vector<ClosedFormPlan> plans;
  for (const DapplePlan& found : dapple_plans(profile, states, levels, search)) {
    if (plans.size() == most) break;
    Plan plan = default_plan(profile, states, under, found.stages);
    if (has_room(plan, profile, topology, options.state_factors)) {
      plans.push_back({found.microbatch_us, std::move(plan)});
    }
  }
  return plans;
}

std::vector<ClosedFormPlan> two_bw(const Profile& profile, const PlanningStates& states, const Topology& topology,
                                   const PartitionOptions& options, std::size_t most) {
  const PlannedAlgorithm under{options.algorithm, options.microbatches_per_update};
  const Topology levels = levels_with_choice(topology);
  std::vector<ClosedFormPlan> plans;
  for (const EqualWidthPlan& found :
       equal_width_plans(profile, states, levels, {under, options.straight, options.use_all_workers, most})) {
    plans.push_back({found.microbatch_us, default_plan(profile, states, under, found.stages)});
    for (StagePlan& stage : plans.back().plan.stages) stage.recompute = found.recompute;
  }
  return plans;
}

}  // namespace

std::vector<ClosedFormPlan> closed_form_plans(const Profile& profile, const PlanningStates& states,
                                              const Topology& topology, const PartitionOptions& options,
                                              std::size_t most) {
  switch (options.cost_model) {
    case CostModel::dapple:
      return dapple(profile, states, topology, options, most);
    case CostModel::two_bw:
      return two_bw(profile, states, topology, options, most);
    default:
      return {};
  }
}

}  // namespace pipedream::detail

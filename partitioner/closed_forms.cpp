#include "partitioner/closed_forms.h"

#include "partitioner/default_plan.h"
#include "partitioner/two_bw_planner.h"

namespace pipedream::detail {

std::vector<ClosedFormPlan> closed_form_plans(const Profile& profile, const PlanningStates& states,
                                              const Topology& topology, const PartitionOptions& options,
                                              std::size_t most) {
  std::vector<ClosedFormPlan> plans;
  if (options.cost_model != CostModel::two_bw) return plans;
  const PlannedAlgorithm under{options.algorithm, options.microbatches_per_update};
  for (const EqualWidthPlan& found : equal_width_plans(profile, states, levels_with_choice(topology),
                                                       {under, options.straight, options.use_all_workers, most})) {
    plans.push_back({found.microbatch_us, default_plan(profile, states, under, found.stages)});
    for (StagePlan& stage : plans.back().plan.stages) stage.recompute = found.recompute;
  }
  return plans;
}

}  // namespace pipedream::detail

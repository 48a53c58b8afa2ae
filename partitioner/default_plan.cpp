#include "partitioner/default_plan.h"

namespace pipedream::detail {

Plan default_plan(const Profile& profile, const PlanningStates& states, const PlannedAlgorithm& under,
                  const std::vector<PlacedStage>& placed) {
  Plan plan;
  plan.graph_hash = profile.graph_hash;
  plan.algorithm = under.algorithm;
  plan.microbatches_per_update = under.microbatches_per_update;
  const AlgorithmTraits traits = traits_of(under.algorithm);
  const bool has_warmup = traits.has_warmup && placed.size() > 1;
  std::vector<int> replicas;
  for (const PlacedStage& range : placed) {
    StagePlan stage;
    for (const int layer : states.layers_between(range.first, range.end)) {
      stage.layers.push_back(profile.layers[static_cast<std::size_t>(layer)].name);
    }
    stage.workers = range.workers;
    stage.reduce_delay = traits.delays_reduction && placed.size() > 1 && stage.replicas() > 1 ? 1 : 0;
    replicas.push_back(stage.replicas());
    plan.stages.push_back(std::move(stage));
  }
  if (has_warmup) {
    const std::vector<int> warmup = default_warmup(replicas);
    for (std::size_t s = 0; s < warmup.size(); ++s) plan.stages[s].warmup = warmup[s];
  }
  plan.idle_workers = workers_without_stage(plan);
  return plan;
}

}  // namespace pipedream::detail

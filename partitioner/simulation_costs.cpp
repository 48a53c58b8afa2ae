#include "partitioner/planned_model.h"
#include "pipedream/simulate.h"

namespace pipedream {

SimulationCosts simulation_costs(const Plan& plan, const Profile& profile, const Topology& topology,
                                 StateFactors state_factors) {
  const detail::PlannedModel model = detail::planned_model(plan, profile, topology);
  SimulationCosts costs;
  costs.stages = detail::stage_costs(plan, profile, model, state_factors);
  costs.links = detail::link_traffic(profile, model);
  costs.topology = topology;
  return costs;
}

}  // namespace pipedream

#include "partitioner/memory_model.h"
#include "partitioner/planned_model.h"
#include "pipedream/simulate.h"

namespace pipedream {

SimulationCosts simulation_costs(const Plan& plan, const Profile& profile, const Topology& topology,
                                 double optimizer_state_factor) {
  const detail::PlannedModel model = detail::planned_model(plan, profile, topology);
  SimulationCosts costs;
  costs.topology = topology;
  costs.links = detail::link_traffic(profile, model);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const auto footprint = detail::stage_footprint(profile, model.ends, model.stage_of_layer, static_cast<int>(s));
    StageCosts& stage = costs.stages.emplace_back();
    stage.version_bytes = footprint.parameter_bytes;
    stage.in_flight_bytes = footprint.in_flight_bytes;
    stage.resident_bytes = detail::resident_bytes(footprint, plan.stages[s].reduce_delay, optimizer_state_factor);
    stage.transient_bytes = footprint.peak_bytes;
  }
  for (std::size_t l = 0; l < profile.layers.size(); ++l) {
    StageCosts& stage = costs.stages[static_cast<std::size_t>(model.stage_of_layer[l])];
    stage.forward_us += profile.layers[l].forward_us;
    stage.backward_us += profile.layers[l].backward_us;
  }
  return costs;
}

}  // namespace pipedream

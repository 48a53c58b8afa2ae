// How fast stages on workers can be at most, and the stages of a plan as states.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "partitioner/default_plan.h"
#include "partitioner/layer_set.h"
#include "partitioner/placement.h"
#include "partitioner/states.h"

namespace pipedream::detail {

// No run is faster, for each microbatch: the compute of the busiest worker; with a flush also, of a chain of layers,
// what passes before the first microbatch of an update comes to its stage, and after the last has left it.
double floor_us(const PlanningStates& states, const std::vector<PlacedStage>& stages, const PlannedAlgorithm& under);

class PlannedPlaces {
 public:
  // Both must outlive this.
  PlannedPlaces(const Profile& profile, const PlanningStates& states);

  // Empty where a cut of the plan is after no state.
  std::optional<std::vector<PlacedStage>> of(const Plan& plan) const;

 private:
  const PlanningStates& states_;
  std::unordered_map<std::string, int> layers_;
  std::unordered_map<LayerSet, int, LayerSetHash> state_of_;
};

}  // namespace pipedream::detail

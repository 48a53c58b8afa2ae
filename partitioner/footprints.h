// What stages between planning states would hold (partitioner/memory_model.h).
#pragma once

#include <vector>

#include "partitioner/memory_model.h"
#include "partitioner/states.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {

class StageFootprints {
 public:
  // Profile and states must outlive this.
  StageFootprints(const Profile& profile, const PlanningStates& states)
      : profile_(profile), states_(states), ends_(tensor_ends(profile)) {}

  // Of the stage [first, end), two nested states: a walk over its layers.
  StageFootprint of(int first, int end) const {
    return stage_footprint(profile_, ends_, states_.layers_between(first, end));
  }

 private:
  const Profile& profile_;
  const PlanningStates& states_;
  std::vector<TensorEnds> ends_;
};

}  // namespace pipedream::detail

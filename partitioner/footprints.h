// What stages between planning states would hold (partitioner/memory_model.h), row by row.
#pragma once

#include <vector>

#include "partitioner/memory_model.h"
#include "partitioner/states.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {

// Profile and states must outlive this.
class StageFootprints {
 public:
  StageFootprints(const Profile& profile, const PlanningStates& states);

  // The stages [first, first + 1), [first, first + 2), ..., of which those count whose states are nested. In time
  // linear in layers and tensors where the states are ordered, else as much for each stage.
  std::vector<StageFootprint> row(int first) const;

 private:
  struct Tensor {
    TensorEnds ends;  // with the number of the state that a layer comes with, less 1, instead of the layer
    std::int64_t bytes;
    bool kept_inside;  // by its producer or a user, also when no other stage uses it
  };

  std::vector<StageFootprint> row_along(int first) const;
  StageFootprint between(int first, int end) const;

  const Profile& profile_;
  const PlanningStates& states_;
  std::vector<TensorEnds> ends_;
  std::vector<int> step_of_layer_;     // where states are ordered: the layer is in the states after this number
  std::vector<StageFootprint> steps_;  // what the layers of a step hold without any tensor
  std::vector<Tensor> tensors_;
};

}  // namespace pipedream::detail

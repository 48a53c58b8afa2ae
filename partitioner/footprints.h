// What stages hold (partitioner/memory_model.h), for whoever asks for many of them.
#pragma once

#include <vector>

#include "partitioner/layer_set.h"
#include "partitioner/memory_model.h"
#include "partitioner/states.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {

// A walk over the layers of a stage, which goes on from the stage before as far as both have the same first layers: of
// stages from one state to one after the other each takes as long as what it has more.
class StageFootprints {
 public:
  // The profile must outlive this.
  explicit StageFootprints(const Profile& profile) : StageFootprints(profile, tensor_ends(profile)) {}
  StageFootprints(const Profile& profile, const std::vector<TensorEnds>& ends);

  // Of the layers in `until` that are not in `before`.
  StageFootprint of(const LayerSet& before, const LayerSet& until);
  // Of the stage [first, end), two nested states.
  StageFootprint of(const PlanningStates& states, int first, int end) { return of(states.set(first), states.set(end)); }
  StageFootprint of_layer(int layer);
  // By stage, given the stage of each layer.
  std::vector<StageFootprint> of_stages(const std::vector<int>& stage_of_layer, std::size_t stages);

 private:
  void add_layer(int layer);
  void remove_last_layer();
  void clear();
  StageFootprint measured() const;

  const Profile& profile_;
  PassWalk walk_;
  LayerSet layers_;  // of the walk
  // Before each of them, but for the pass.
  std::vector<StageFootprint> before_;
  StageFootprint sums_;
};

}  // namespace pipedream::detail

// The memory that one microbatch takes on its way through a stage, from the profile: a walk over the layers, forward
// and back.
#pragma once

#include <cstdint>
#include <vector>

#include "pipedream/profile.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {

// Bytes. Model inputs are not in a profile: only what layers keep of them counts.
struct PassMemory {
  // From the forward to the backward: what layers keep, tensors that come in, tensors that go out (they start the
  // backward), and tensors inside that their producer or a user keeps; each tensor once.
  std::int64_t held = 0;
  std::int64_t received = 0;  // of these, the tensors that come in
  // The greatest while the pass runs. A forward holds what it has made so far and somebody still uses or keeps; a
  // backward what layers to come keep, the gradients that came in, gradients between layers, and those of the
  // parameters so far; both what the layer at work takes for itself.
  std::int64_t forward_peak = 0;
  std::int64_t backward_peak = 0;
};

// layers: of the stage, by number in the profile, ascending. Time linear in layers and tensors.
PassMemory pass_memory(const Profile& profile, const std::vector<TensorEnds>& ends, const std::vector<int>& layers);

}  // namespace pipedream::detail

// The memory of one worker of a stage, from the profile.
//
// A worker holds its weight versions, the gradient (a second one while a delayed reduction is pending), the
// optimizer's state, the buffers, what its microbatches in flight keep for their backwards, and the greatest transient
// allocation of one pass. Model inputs are not in a profile and not counted.
#pragma once

#include <cstdint>
#include <vector>

#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/schedule.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {

struct StageFootprint {
  std::int64_t parameter_bytes = 0;
  std::int64_t buffer_bytes = 0;
  // Of one microbatch: what layers keep, tensors that come in, tensors that go out (they start the backward), and
  // tensors inside that their producer or a user keeps; each tensor once.
  std::int64_t in_flight_bytes = 0;
  std::int64_t received_bytes = 0;  // of these, the tensors that come in
  std::int64_t peak_bytes = 0;
};

// Sums past 2^63 stay there. recompute: all microbatches in flight but one keep only what came in.
std::int64_t memory_bytes(const StageFootprint& footprint, const StageLoad& load, int reduce_delay,
                          double optimizer_state_factor, bool recompute = false);

// The part of it that is held all the time whatever the depth: gradients, optimizer, buffers.
std::int64_t resident_bytes(const StageFootprint& footprint, int reduce_delay, double optimizer_state_factor);

// The greatest depth of a stage under pipedream whose memory_bytes is within the limit; -1: none.
int greatest_warmup(const StageFootprint& footprint, int reduce_delay, double optimizer_state_factor,
                    std::int64_t limit_bytes);

// Of a stage given by the stage of each layer.
StageFootprint stage_footprint(const Profile& profile, const std::vector<TensorEnds>& ends,
                               const std::vector<int>& stage_of_layer, int stage);

}  // namespace pipedream::detail

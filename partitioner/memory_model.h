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
#include "pipedream/simulate.h"
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

// How a stage uses its memory.
struct StageUse {
  int reduce_delay = 0;
  bool recompute = false;  // all microbatches in flight but one keep only what came in
  double optimizer_state_factor = 1;
};

// By what it is held for: the byte counts of StageCosts. Sums past 2^63 stay there.
StageCosts memory_costs(const StageFootprint& footprint, const StageUse& use);

// The peak of a worker that has this stage only.
std::int64_t memory_bytes(const StageCosts& costs, const StageLoad& load);

// Of a stage that does one microbatch after the other.
std::int64_t memory_bytes(const StageFootprint& footprint, double optimizer_state_factor);

// The greatest depth of a stage under pipedream whose memory_bytes is within the limit; -1: none.
int greatest_warmup(const StageCosts& costs, std::int64_t limit_bytes);

// Of a stage given by the stage of each layer.
StageFootprint stage_footprint(const Profile& profile, const std::vector<TensorEnds>& ends,
                               const std::vector<int>& stage_of_layer, int stage);

// Of all ranges of the graph order, row by row.
class RangeFootprints {
 public:
  explicit RangeFootprints(const Profile& profile);

  // The ranges [first, first + 1), [first, first + 2), ... in time linear in layers and tensors.
  std::vector<StageFootprint> row(int first) const;

 private:
  struct Tensor {
    TensorEnds ends;
    std::int64_t bytes;
    bool kept_inside;  // by its producer or a user, also when no other stage uses it
  };

  const std::vector<LayerProfile>& layers_;  // of the profile, which must outlive this
  std::vector<Tensor> tensors_;
};

}  // namespace pipedream::detail

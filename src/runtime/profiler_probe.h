// The first forward and backward of a whole model: what cannot be profiled or trained is found here, by layer.
#pragma once

#include "runtime/profiled_model.h"

namespace pipedream::detail {

struct ProbeResult {
  Tensors values;                       // of every slot, detached
  std::vector<bool> requires_gradient;  // by slot
};

// Also finds which layers draw random numbers and tells the model. Throws ConfigError naming the layer: its forward
// fails (with the shapes of its inputs), returns another number of tensors than declared, or writes a parameter; a
// parameter gets no gradient or a sparse one; the loss is no scalar or needs no gradient.
ProbeResult probe(ProfiledModel& model, const Tensors& data);

}  // namespace pipedream::detail

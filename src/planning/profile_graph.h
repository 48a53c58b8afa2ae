// The graph that a profile's tensors make of its layers.
#pragma once

#include <vector>

#include "pipedream/profile.h"

namespace pipedream::detail {

// A tensor with its layers as positions in the graph order.
struct TensorEnds {
  int producer = 0;
  std::vector<int> consumers;  // ascending, once per use
  int view_of = -1;            // another tensor
};

// Throws ConfigError: an unknown layer, a cycle, an order of layers, tensors or consumers that is not the graph's, a
// layer that does not lead to the loss. Expects unique names.
void validate_graph(const Profile& profile);

// By tensor. Throws ConfigError for an unknown layer.
std::vector<TensorEnds> tensor_ends(const Profile& profile);

}  // namespace pipedream::detail

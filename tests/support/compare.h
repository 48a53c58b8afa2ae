// Comparison of tensors bit by bit, with words for the first difference.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "pipedream/layer_graph.h"
#include "pipedream/weights.h"

namespace pipedream::testing {

// Each returns an empty string where all bits agree (dtype, shape and values; not strides), else what differs first.
std::string difference(const torch::Tensor& actual, const torch::Tensor& expected);
std::string difference(const Tensors& actual, const Tensors& expected);
std::string difference(const NamedTensors& actual, const NamedTensors& expected);
std::string difference(const std::vector<float>& actual, const std::vector<float>& expected);

}  // namespace pipedream::testing

// Makes a layer's instance on the worker that owns it, and names what it holds.
//
// Factories of all workers of a process run one at a time. The caller's random generator is left as it was.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pipedream/layer_graph.h"

namespace pipedream {

// Calls the factory with the generator seeded by layer_seed(run_seed, name) and moves parameters and buffers to the
// device (initial values are always drawn on the CPU, so that they do not depend on it). Throws ConfigError naming the
// layer: the factory failed or returned null, or a module with parameters that somebody else holds too; an embedding
// that writes its weights in forward (max_norm); sparse gradients.
LayerInstance build_layer(const Layer& layer, std::uint64_t run_seed, torch::Device device);

using NamedTensorList = std::vector<std::pair<std::string, torch::Tensor>>;

// By "layer.parameter", in the module's order, each once; empty for a layer without module.
NamedTensorList named_parameters(const std::string& layer, const LayerInstance& instance);
// By "layer.buffer": running statistics and the like.
NamedTensorList named_buffers(const std::string& layer, const LayerInstance& instance);

}  // namespace pipedream

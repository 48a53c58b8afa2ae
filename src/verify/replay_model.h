// The layers of a graph in one process: forward and backward of one microbatch, each layer in its own autograd graph.
//
// A tensor that crosses from one layer to another is detached; its consumers' gradients are summed here in graph order,
// (g0 + g1) + g2 and so on, or in the opposite order where a test asks for the mistake. One thread.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pipedream/layer_graph.h"
#include "runtime/layer_build.h"

namespace pipedream::detail {

// A layer with its module built.
struct ReplayLayer {
  Layer layer;
  LayerInstance instance;
  NamedTensorList parameters;  // by "layer.parameter", in the module's order
  NamedTensorList buffers;
  NamedTensorList constants;  // parameters that need no gradient
};

// The gradient that one consumer gives for one of its inputs.
struct ConsumerGradient {
  std::string consumer;
  torch::Tensor gradient;
};

struct MicrobatchGradients {
  std::map<std::string, Tensors> parameters;                          // by layer, in the order of its parameters
  std::map<std::string, std::vector<ConsumerGradient>> of_consumers;  // by tensor, consumers in graph order
};

class ReplayModel {
 public:
  // Builds every layer, initialised from (seed, layer name).
  ReplayModel(const LayerGraph& graph, std::uint64_t seed, torch::Device device);

  const std::vector<ReplayLayer>& layers() const { return layers_; }
  const ReplayLayer& layer(const std::string& name) const;
  // Names of the layer that makes each tensor.
  const std::map<std::string, std::string>& producers() const { return producers_; }
  // All tensors that layers make, in graph order.
  const std::vector<std::string>& tensors() const { return tensors_; }
  bool reversed_sums = false;
  void set_training(bool training);

  // Runs all layers and the loss on a microbatch whose draws are those of (seed, layer, microbatch).
  WeightedMean forward(const std::map<std::string, torch::Tensor>& data, std::uint64_t seed, std::int64_t microbatch);
  // Of the last forward.
  MicrobatchGradients backward();

  // (g0 + g1) + g2 ..., in the order given.
  torch::Tensor sum(const std::vector<torch::Tensor>& gradients) const;

 private:
  struct Run {
    Tensors leaves;   // one per input, detached
    Tensors outputs;  // with this layer's graph
  };
  Tensors leaves_of(const std::vector<std::string>& inputs) const;
  static Tensors arguments_of(const Tensors& leaves);
  void credit(const std::string& consumer, const std::vector<std::string>& inputs, const Tensors& leaves,
              const Tensors& gradients, MicrobatchGradients& out) const;
  void backward_layer(std::size_t index, MicrobatchGradients& out) const;

  torch::Device device_;
  WeightedLayer loss_;
  std::vector<ReplayLayer> layers_;
  std::map<std::string, std::string> producers_;
  std::vector<std::string> tensors_;
  std::map<std::string, torch::Tensor> values_;  // of the last forward, by tensor
  std::vector<Run> runs_;
  Run loss_run_;
};

}  // namespace pipedream::detail

// The layers of one stage on one worker: forward and backward of a microbatch, without weights versions, schedule or
// transport. One thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/layer_graph.h"
#include "runtime/stage_wiring.h"

namespace pipedream::detail {

struct NamedParameter {
  std::string name;  // "layer.parameter"
  torch::Tensor tensor;
};

// What a forward starts from.
struct StageInputs {
  Tensors data;                   // by wiring().data
  std::vector<Tensors> incoming;  // by incoming link

  // With tensors of their own, which layers that write their inputs do not reach.
  StageInputs clone() const;
};

// What a microbatch leaves between its forward and its backward.
struct Activations {
  std::vector<Tensors> roots;   // by outgoing link: what the returned gradients belong to
  std::vector<Tensors> leaves;  // by incoming link: what gradients are sent back for; undefined where none is
  torch::Tensor loss;           // in the stage that has it
  double weight = 0;            // n_k, there
};

struct ForwardResult {
  std::vector<Tensors> outgoing;      // by outgoing link
  Activations activations;            // training
  std::vector<WeightedMean> metrics;  // evaluation, in graph order
};

struct BackwardResult {
  Tensors parameters;             // by parameter, as autograd gave them; undefined where none came
  std::vector<Tensors> incoming;  // by incoming link, in the order of its leaves
};

// What a first forward and backward on real data tell about a stage; the same on all of its replicas.
struct StageTraits {
  std::vector<bool> draws;                        // by layer: uses the random generator
  std::vector<std::vector<bool>> differentiable;  // by outgoing link and tensor
};

class Stage {
 public:
  Stage(const LayerGraph& graph, const Plan& plan, int stage, std::uint64_t seed, torch::Device device);

  const StageWiring& wiring() const { return wiring_; }
  const std::vector<NamedParameter>& parameters() const { return parameters_; }  // that are trained
  const std::vector<NamedParameter>& constants() const { return constants_; }    // that are not
  const std::vector<NamedParameter>& buffers() const { return buffers_; }

  // Called now and then between layers, in the forward and, on the CPU, in the backward. (Elsewhere the backward runs
  // on the device's one autograd thread, which other workers may share.)
  void set_on_layer(std::function<void()> on_layer) { on_layer_ = std::move(on_layer); }
  void set_draws(std::vector<bool> draws) { draws_ = std::move(draws); }
  // By incoming link and tensor; until set, every floating tensor is taken to need a gradient.
  void set_received_gradients(std::vector<std::vector<bool>> wanted) { received_gradients_ = std::move(wanted); }
  void set_training(bool training);

  // microbatch: global, for the random seeds. data: by wiring().data; incoming: by link.
  ForwardResult forward(std::int64_t microbatch, const Tensors& data, const std::vector<Tensors>& incoming);
  // gradients: by outgoing link; a link without gradients gives an empty list. Empties the activations.
  BackwardResult backward(Activations& activations, const std::vector<Tensors>& gradients);
  ForwardResult evaluate(const Tensors& data, const std::vector<Tensors>& incoming);

  // Forward and backward with checks: throws ConfigError for a layer that writes its parameters in its forward. Which
  // parameters got no gradient is seen after the backward.
  ForwardResult probe(std::int64_t microbatch, const Tensors& data, const std::vector<Tensors>& incoming,
                      StageTraits& traits);
  void require_gradients(const Tensors& parameter_gradients) const;

 private:
  struct BuiltLayer {
    std::string name;
    LayerInstance instance;
  };

  void build(const LayerGraph& graph);
  void find_releases();
  torch::Tensor on_device(const torch::Tensor& received) const;
  void place_inputs(Tensors& slots, const Tensors& data, const std::vector<Tensors>& incoming, Activations* kept);
  bool is_time_to_drive();
  void run_steps(Tensors& slots, std::int64_t microbatch, bool seeded);
  Tensors run_layer(const LayerStep& step, const Tensors& inputs, std::int64_t microbatch, bool seeded);
  WeightedMean run_weighted(const WeightedLayer& layer, const WeightedStep& step, const Tensors& slots) const;
  std::vector<Tensors> take_outgoing(const Tensors& slots) const;

  StageWiring wiring_;
  std::uint64_t seed_;
  torch::Device device_;
  std::vector<BuiltLayer> layers_;
  std::vector<WeightedLayer> weighted_;  // the loss, then the metrics
  std::vector<NamedParameter> parameters_;
  std::vector<NamedParameter> constants_;
  std::vector<NamedParameter> buffers_;
  std::vector<std::vector<int>> releases_;  // by step: slots that nobody uses after it
  std::vector<bool> draws_;
  std::vector<std::vector<bool>> received_gradients_;
  StageTraits* probing_ = nullptr;
  std::function<void()> on_layer_;
  std::chrono::steady_clock::time_point driven_;  // when it was called last, or the pass began
};

}  // namespace pipedream::detail

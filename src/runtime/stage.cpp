#include "runtime/stage.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "runtime/layer_build.h"

namespace pipedream::detail {

Stage::Stage(const LayerGraph& graph, const Plan& plan, int stage, std::uint64_t seed, torch::Device device)
    : wiring_(wire_stage(graph, plan, stage)), seed_(seed), device_(device) {
  build(graph);
  find_releases();
  draws_.assign(layers_.size(), false);
}

void Stage::build(const LayerGraph& graph) {
  const auto layers = graph.layers();
  for (const std::size_t index : wiring_.layers) {
    const Layer& layer = layers[index];
    layers_.push_back({layer.name, build_layer(layer, seed_, device_)});
    const auto& module = layers_.back().instance.module;
    if (!module) continue;
    for (const auto& item : module->named_parameters()) {
      auto& list = item.value().requires_grad() ? parameters_ : constants_;
      list.push_back({layer.name + "." + item.key(), item.value()});
    }
    for (const auto& item : module->named_buffers()) buffers_.push_back({layer.name + "." + item.key(), item.value()});
  }
  if (!wiring_.has_loss) return;
  weighted_.push_back(graph.loss_layer());
  for (const WeightedLayer& metric : graph.metrics()) weighted_.push_back(metric);
}

void Stage::find_releases() {
  std::vector<int> last(static_cast<std::size_t>(wiring_.slots), -1);
  const int end = static_cast<int>(wiring_.steps.size());
  const auto used = [&](int slot, int step) {
    auto& l = last[static_cast<std::size_t>(slot)];
    l = std::max(l, step);
  };
  for (int i = 0; i < end; ++i) {
    const LayerStep& step = wiring_.steps[static_cast<std::size_t>(i)];
    for (const int slot : step.inputs) used(slot, i);
    for (const int slot : step.outputs) used(slot, i);
    for (const auto& fan : step.fan_outs) {
      for (const int slot : fan.branches) used(slot, i);
    }
  }
  for (const auto& link : wiring_.outgoing) {
    for (const auto& tensor : link.tensors) {
      used(tensor.slot, end);
      for (const int slot : tensor.gradient_slots) used(slot, end);
    }
  }
  for (const int slot : wiring_.loss.inputs) used(slot, end);
  for (const auto& metric : wiring_.metrics) {
    for (const int slot : metric.inputs) used(slot, end);
  }
  releases_.resize(wiring_.steps.size());
  for (int slot = 0; slot < wiring_.slots; ++slot) {
    const int step = last[static_cast<std::size_t>(slot)];
    if (step >= 0 && step < end) releases_[static_cast<std::size_t>(step)].push_back(slot);
  }
}

void Stage::set_training(bool training) {
  for (auto& layer : layers_) {
    if (layer.instance.module) layer.instance.module->train(training);
  }
}

BackwardResult Stage::backward(Activations& activations, const std::vector<Tensors>& gradients) {
  Tensors roots;
  Tensors root_gradients;
  for (std::size_t l = 0; l < activations.roots.size(); ++l) {
    for (std::size_t i = 0; i < gradients[l].size(); ++i) {
      if (!gradients[l][i].defined() || !activations.roots[l][i].requires_grad()) continue;
      roots.push_back(activations.roots[l][i]);
      root_gradients.push_back(on_device(gradients[l][i]));
    }
  }
  if (activations.loss.defined() && activations.loss.requires_grad()) {
    roots.push_back(activations.loss);
    root_gradients.emplace_back();
  }
  Tensors inputs;
  for (const auto& parameter : parameters_) inputs.push_back(parameter.tensor);
  for (const auto& leaves : activations.leaves) {
    std::copy_if(leaves.begin(), leaves.end(), std::back_inserter(inputs), [](auto& t) { return t.defined(); });
  }
  Tensors found(inputs.size());
  if (!roots.empty() && !inputs.empty()) {
    found = torch::autograd::grad(roots, inputs, root_gradients, /*retain_graph=*/std::nullopt,
                                  /*create_graph=*/false, /*allow_unused=*/true);
  }
  BackwardResult result;
  auto next = found.begin() + static_cast<std::ptrdiff_t>(parameters_.size());
  result.parameters.assign(std::make_move_iterator(found.begin()), std::make_move_iterator(next));
  for (const auto& leaves : activations.leaves) {
    auto& sent = result.incoming.emplace_back();
    for (const auto& leaf : leaves) sent.push_back(leaf.defined() ? std::move(*next++) : torch::Tensor());
  }
  activations = {};
  return result;
}

}  // namespace pipedream::detail

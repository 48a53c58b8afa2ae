#include "verify/replay_model.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <stdexcept>

#include "runtime/random.h"

namespace pipedream::detail {
namespace {

// Hands a leaf to a layer in such a way that the layer may write it in place.
struct Identity : torch::autograd::Function<Identity> {
  static torch::Tensor forward(torch::autograd::AutogradContext*, const torch::Tensor& x) { return x.detach(); }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 const torch::autograd::variable_list& gradients) {
    return gradients;
  }
};

ReplayLayer build(const Layer& layer, std::uint64_t seed, torch::Device device) {
  ReplayLayer built{layer, build_layer(layer, seed, device), {}, {}, {}};
  for (const auto& named : named_parameters(layer.name, built.instance)) {
    (named.second.requires_grad() ? built.parameters : built.constants).push_back(named);
  }
  built.buffers = named_buffers(layer.name, built.instance);
  return built;
}

bool needs_gradient(const torch::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

// Raw gradients of `wanted`, undefined where no path leads to it; `gradients` are those of `outputs`.
Tensors raw_gradients(const Tensors& outputs, const Tensors& wanted, const Tensors& gradients) {
  if (outputs.empty() || wanted.empty()) return Tensors(wanted.size());
  return torch::autograd::grad(outputs, wanted, gradients, /*retain_graph=*/false, /*create_graph=*/false,
                               /*allow_unused=*/true);
}

// A gradient in the memory layout of its parameter, as LibTorch's .grad has it: sums and steps round differently in
// another one.
torch::Tensor laid_out_like(const torch::Tensor& parameter, const torch::Tensor& gradient) {
  if (!gradient.defined()) return gradient;
  return torch::empty_like(parameter, torch::TensorOptions().requires_grad(false)).copy_(gradient);
}

}  // namespace

ReplayModel::ReplayModel(const LayerGraph& graph, std::uint64_t seed, torch::Device device)
    : device_(device), loss_(graph.loss_layer()) {
  for (const Layer& layer : graph.layers()) {
    layers_.push_back(build(layer, seed, device));
    for (const std::string& tensor : layer.outputs) {
      producers_[tensor] = layer.name;
      tensors_.push_back(tensor);
    }
  }
  set_training(true);
}

const ReplayLayer& ReplayModel::layer(const std::string& name) const {
  for (const ReplayLayer& candidate : layers_) {
    if (candidate.layer.name == name) return candidate;
  }
  throw std::logic_error("no layer " + name);
}

void ReplayModel::set_training(bool training) {
  for (const ReplayLayer& layer : layers_) {
    if (layer.instance.module) layer.instance.module->train(training);
  }
}

Tensors ReplayModel::leaves_of(const std::vector<std::string>& inputs) const {
  Tensors leaves;
  for (const std::string& input : inputs) {
    const torch::Tensor& value = values_.at(input);
    leaves.push_back(value.detach().requires_grad_(producers_.count(input) > 0 && needs_gradient(value)));
  }
  return leaves;
}

Tensors ReplayModel::arguments_of(const Tensors& leaves) {
  Tensors arguments;
  for (const torch::Tensor& leaf : leaves) arguments.push_back(leaf.requires_grad() ? Identity::apply(leaf) : leaf);
  return arguments;
}

WeightedMean ReplayModel::forward(const std::map<std::string, torch::Tensor>& data, std::uint64_t seed,
                                  std::int64_t microbatch) {
  values_ = data;
  runs_.clear();
  for (const ReplayLayer& layer : layers_) {
    const GeneratorScope scope(forward_seed(seed, layer.layer.name, microbatch), device_);
    Run run;
    run.leaves = leaves_of(layer.layer.inputs);
    run.outputs = layer.instance.forward(arguments_of(run.leaves));
    for (std::size_t o = 0; o < run.outputs.size(); ++o) values_[layer.layer.outputs.at(o)] = run.outputs[o];
    runs_.push_back(std::move(run));
  }
  loss_run_.leaves = leaves_of(loss_.inputs);
  const WeightedMean loss = loss_.function(arguments_of(loss_run_.leaves));
  loss_run_.outputs = {loss.mean};
  return loss;
}

torch::Tensor ReplayModel::sum(const std::vector<torch::Tensor>& gradients) const {
  Tensors addends;
  for (const torch::Tensor& gradient : gradients) {
    if (gradient.defined()) addends.push_back(gradient);
  }
  if (reversed_sums) std::reverse(addends.begin(), addends.end());
  torch::Tensor total;
  for (const torch::Tensor& addend : addends) total = total.defined() ? total + addend : addend;
  return total;
}

// Notes the gradients that a consumer gives for its inputs. Consumers come here in reverse graph order.
void ReplayModel::credit(const std::string& consumer, const std::vector<std::string>& inputs, const Tensors& leaves,
                         const Tensors& gradients, MicrobatchGradients& out) const {
  std::size_t next = leaves.size();
  std::size_t gradient = static_cast<std::size_t>(std::count_if(leaves.begin(), leaves.end(), needs_gradient));
  while (next-- > 0) {
    if (!leaves[next].requires_grad()) continue;
    auto& list = out.of_consumers[inputs[next]];
    list.insert(list.begin(), ConsumerGradient{consumer, gradients[--gradient]});
  }
}

void ReplayModel::backward_layer(std::size_t index, MicrobatchGradients& out) const {
  const ReplayLayer& layer = layers_[index];
  const Run& run = runs_[index];
  Tensors outputs;
  Tensors gradients;
  for (std::size_t o = 0; o < run.outputs.size(); ++o) {
    Tensors given;
    for (const auto& [consumer, gradient] : out.of_consumers[layer.layer.outputs[o]]) given.push_back(gradient);
    const torch::Tensor total = sum(given);
    if (!needs_gradient(run.outputs[o]) || !total.defined()) continue;
    outputs.push_back(run.outputs[o]);
    gradients.push_back(total);
  }
  Tensors wanted;
  for (const torch::Tensor& leaf : run.leaves) {
    if (leaf.requires_grad()) wanted.push_back(leaf);
  }
  const std::size_t inputs = wanted.size();
  for (const auto& [name, parameter] : layer.parameters) wanted.push_back(parameter);
  Tensors raw = raw_gradients(outputs, wanted, gradients);
  Tensors& of_parameters = out.parameters[layer.layer.name];
  for (std::size_t p = 0; p < layer.parameters.size(); ++p) {
    of_parameters.push_back(laid_out_like(layer.parameters[p].second, raw[inputs + p]));
  }
  raw.resize(inputs);
  credit(layer.layer.name, layer.layer.inputs, run.leaves, raw, out);
}

MicrobatchGradients ReplayModel::backward() {
  MicrobatchGradients out;
  Tensors wanted;
  for (const torch::Tensor& leaf : loss_run_.leaves) {
    if (leaf.requires_grad()) wanted.push_back(leaf);
  }
  credit(loss_.name, loss_.inputs, loss_run_.leaves, raw_gradients(loss_run_.outputs, wanted, {}), out);
  for (std::size_t index = layers_.size(); index-- > 0;) backward_layer(index, out);
  return out;
}

}  // namespace pipedream::detail

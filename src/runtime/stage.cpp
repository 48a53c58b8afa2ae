#include "runtime/stage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "pipedream/error.h"
#include "runtime/fan_out.h"
#include "runtime/layer_build.h"
#include "runtime/random.h"

namespace pipedream::detail {
namespace {

Tensors gather(const Tensors& slots, const std::vector<int>& wanted) {
  Tensors tensors;
  tensors.reserve(wanted.size());
  for (const int slot : wanted) tensors.push_back(slots[static_cast<std::size_t>(slot)]);
  return tensors;
}

void fan_out(Tensors& slots, const FanOutStep& step, const torch::Tensor& source) {
  if (!source.requires_grad()) {
    for (const int branch : step.branches) slots[static_cast<std::size_t>(branch)] = source;
    return;
  }
  auto branches = FanOut::apply(source, static_cast<std::int64_t>(step.branches.size()));
  for (std::size_t i = 0; i < step.branches.size(); ++i) {
    slots[static_cast<std::size_t>(step.branches[i])] = std::move(branches[i]);
  }
}

std::string shapes(const Tensors& tensors) {
  std::vector<std::string> texts;
  for (const auto& t : tensors) texts.push_back(fmt::format("[{}]", fmt::join(t.sizes(), ", ")));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string reason(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  return torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
}

}  // namespace

Stage::Stage(const LayerGraph& graph, const Plan& plan, int stage, std::uint64_t seed, torch::Device device)
    : wiring_(wire_stage(graph, plan, stage)), seed_(seed) {
  build(graph, seed, device);
  find_releases();
  draws_.assign(layers_.size(), false);
}

void Stage::build(const LayerGraph& graph, std::uint64_t seed, torch::Device device) {
  const auto layers = graph.layers();
  for (const std::size_t index : wiring_.layers) {
    const Layer& layer = layers[index];
    layers_.push_back({layer.name, build_layer(layer, seed, device)});
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

void Stage::place_inputs(Tensors& slots, const Tensors& data, const std::vector<Tensors>& incoming, Activations* kept) {
  for (std::size_t i = 0; i < wiring_.data.size(); ++i) {
    slots[static_cast<std::size_t>(wiring_.data[i].slot)] = data[i];
  }
  for (std::size_t l = 0; l < wiring_.incoming.size(); ++l) {
    const IncomingLink& link = wiring_.incoming[l];
    for (std::size_t t = 0; t < link.tensors.size(); ++t) {
      const torch::Tensor& received = incoming[l][t];
      const ReceivedTensor& tensor = link.tensors[t];
      slots[static_cast<std::size_t>(tensor.plain)] = received;
      const bool wanted = received_gradients_.empty() || received_gradients_[l][t];
      for (const FanOutStep& leaf_step : tensor.leaves) {
        torch::Tensor leaf = received;
        if (kept != nullptr && wanted && (received.is_floating_point() || received.is_complex())) {
          leaf = received.detach().requires_grad_();
          kept->leaves[l].push_back(leaf);
        } else if (kept != nullptr) {
          kept->leaves[l].emplace_back();
        }
        fan_out(slots, leaf_step, leaf);
      }
    }
  }
}

Tensors Stage::run_layer(const LayerStep& step, const Tensors& inputs, std::int64_t microbatch, bool seeded) {
  const auto index = static_cast<std::size_t>(step.layer);
  const BuiltLayer& layer = layers_[index];
  Tensors outputs;
  try {
    if (seeded && (probing_ != nullptr || draws_[index])) {
      const GeneratorScope scope(forward_seed(seed_, layer.name, microbatch));
      if (probing_ == nullptr) {
        outputs = layer.instance.forward(inputs);
      } else {
        probing_->draws[index] = draws_random_numbers([&] { outputs = layer.instance.forward(inputs); });
      }
    } else {
      outputs = layer.instance.forward(inputs);
    }
  } catch (const ConfigError&) {
    throw;
  } catch (const CommunicationError&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(fmt::format("layer '{}' with inputs {}: {}", layer.name, shapes(inputs), reason(error)));
  }
  if (outputs.size() != step.outputs.size()) {
    throw ConfigError(fmt::format("layer '{}' returned {} tensor(s); the graph declares {}", layer.name, outputs.size(),
                                  step.outputs.size()));
  }
  return outputs;
}

void Stage::run_steps(Tensors& slots, std::int64_t microbatch, bool seeded) {
  for (std::size_t i = 0; i < wiring_.steps.size(); ++i) {
    const LayerStep& step = wiring_.steps[i];
    {
      Tensors outputs = run_layer(step, gather(slots, step.inputs), microbatch, seeded);
      for (std::size_t o = 0; o < outputs.size(); ++o) {
        if (on_layer_ && outputs[o].requires_grad() && o == 0) {
          outputs[o].register_hook([this](const torch::Tensor&) { on_layer_(); });
        }
        slots[static_cast<std::size_t>(step.outputs[o])] = std::move(outputs[o]);
      }
    }
    for (const FanOutStep& fan : step.fan_outs) fan_out(slots, fan, slots[static_cast<std::size_t>(fan.source)]);
    for (const int slot : releases_[i]) slots[static_cast<std::size_t>(slot)].reset();
    if (on_layer_) on_layer_();
  }
}

std::vector<Tensors> Stage::take_outgoing(const Tensors& slots) const {
  std::vector<Tensors> outgoing;
  for (const OutgoingLink& link : wiring_.outgoing) {
    auto& tensors = outgoing.emplace_back();
    for (const SentTensor& tensor : link.tensors) {
      tensors.push_back(slots[static_cast<std::size_t>(tensor.slot)].detach());
    }
  }
  return outgoing;
}

WeightedMean Stage::run_weighted(const WeightedLayer& layer, const WeightedStep& step, const Tensors& slots) const {
  const Tensors inputs = gather(slots, step.inputs);
  try {
    return layer.function(inputs);
  } catch (const std::exception& error) {
    throw Error(fmt::format("'{}' with inputs {}: {}", layer.name, shapes(inputs), reason(error)));
  }
}

ForwardResult Stage::forward(std::int64_t microbatch, const Tensors& data, const std::vector<Tensors>& incoming) {
  ForwardResult result;
  result.activations.leaves.resize(wiring_.incoming.size());
  Tensors slots(static_cast<std::size_t>(wiring_.slots));
  place_inputs(slots, data, incoming, &result.activations);
  run_steps(slots, microbatch, /*seeded=*/true);
  result.outgoing = take_outgoing(slots);
  for (const OutgoingLink& link : wiring_.outgoing) {
    auto& roots = result.activations.roots.emplace_back();
    for (const SentTensor& tensor : link.tensors) {
      for (const int slot : tensor.gradient_slots) roots.push_back(slots[static_cast<std::size_t>(slot)]);
    }
  }
  if (wiring_.has_loss) {
    const WeightedMean loss = run_weighted(weighted_.front(), wiring_.loss, slots);
    result.activations.loss = loss.mean;
    result.activations.weight = loss.weight;
  }
  return result;
}

ForwardResult Stage::evaluate(const Tensors& data, const std::vector<Tensors>& incoming) {
  const torch::NoGradGuard no_gradient;
  ForwardResult result;
  Tensors slots(static_cast<std::size_t>(wiring_.slots));
  place_inputs(slots, data, incoming, nullptr);
  run_steps(slots, 0, /*seeded=*/false);
  result.outgoing = take_outgoing(slots);
  if (!wiring_.has_loss) return result;
  const WeightedMean loss = run_weighted(weighted_.front(), wiring_.loss, slots);
  result.activations.loss = loss.mean;
  result.activations.weight = loss.weight;
  for (std::size_t m = 0; m < wiring_.metrics.size(); ++m) {
    result.metrics.push_back(run_weighted(weighted_[m + 1], wiring_.metrics[m], slots));
  }
  return result;
}

BackwardResult Stage::backward(Activations& activations, const std::vector<Tensors>& gradients) {
  Tensors roots;
  Tensors root_gradients;
  for (std::size_t l = 0; l < activations.roots.size(); ++l) {
    for (std::size_t i = 0; i < gradients[l].size(); ++i) {
      if (!gradients[l][i].defined() || !activations.roots[l][i].requires_grad()) continue;
      roots.push_back(activations.roots[l][i]);
      root_gradients.push_back(gradients[l][i]);
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

ForwardResult Stage::probe(std::int64_t microbatch, const Tensors& data, const std::vector<Tensors>& incoming,
                           StageTraits& traits) {
  Tensors before;
  for (const auto& parameter : parameters_) before.push_back(parameter.tensor.detach().clone());
  traits.draws.assign(layers_.size(), false);
  probing_ = &traits;
  ForwardResult result;
  try {
    result = forward(microbatch, data, incoming);
  } catch (...) {
    probing_ = nullptr;
    throw;
  }
  probing_ = nullptr;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!torch::equal(before[i], parameters_[i].tensor.detach())) {
      throw ConfigError(
          fmt::format("parameter '{}' is written by the forward of its layer; weights may only change in "
                      "updates",
                      parameters_[i].name));
    }
  }
  for (std::size_t l = 0; l < wiring_.outgoing.size(); ++l) {
    auto& differentiable = traits.differentiable.emplace_back();
    auto root = result.activations.roots[l].begin();
    for (const SentTensor& tensor : wiring_.outgoing[l].tensors) {
      differentiable.push_back(!tensor.gradient_slots.empty() && root->requires_grad());
      root += static_cast<std::ptrdiff_t>(tensor.gradient_slots.size());
    }
  }
  return result;
}

void Stage::require_gradients(const Tensors& parameter_gradients) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameter_gradients[i].defined()) {
      throw ConfigError(
          fmt::format("parameter '{}' got no gradient: no path leads from the loss to its layer", parameters_[i].name));
    }
    if (parameter_gradients[i].is_sparse()) {
      throw ConfigError(
          fmt::format("parameter '{}' has a sparse gradient; only dense ones are supported", parameters_[i].name));
    }
  }
}

}  // namespace pipedream::detail

// What a stage does with a microbatch before its backward, in training and in evaluation.
#include <ATen/ops/_unsafe_view.h>
#include <fmt/format.h>

#include <algorithm>

#include "pipedream/error.h"
#include "runtime/fan_out.h"
#include "runtime/layer_checks.h"
#include "runtime/random.h"
#include "runtime/stage.h"

namespace pipedream::detail {
namespace {

// Communication is driven between layers, but not more often than this: small layers would take less time than it.
constexpr std::chrono::microseconds kDriveInterval{100};

Tensors gather(const Tensors& slots, const std::vector<int>& wanted) {
  Tensors tensors;
  tensors.reserve(wanted.size());
  for (const int slot : wanted) tensors.push_back(slots[static_cast<std::size_t>(slot)]);
  return tensors;
}

// Views may change the strides of dimensions of one element, which decide how later layers lay memory out.
bool has_dimension_of_one(const torch::Tensor& tensor) {
  const auto sizes = tensor.sizes();
  return std::find(sizes.begin(), sizes.end(), 1) != sizes.end();
}

void fan_out(Tensors& slots, const FanOutStep& step, const torch::Tensor& source) {
  if (!source.requires_grad()) {
    for (const int branch : step.branches) slots[static_cast<std::size_t>(branch)] = source;
    return;
  }
  if (step.branches.size() == 1 && !has_dimension_of_one(source)) {
    // No view for autograd, so that the layer may write it in place; and cheaper than a function of our own.
    slots[static_cast<std::size_t>(step.branches.front())] = at::_unsafe_view(source, source.sizes());
    return;
  }
  auto branches = FanOut::apply(source, static_cast<std::int64_t>(step.branches.size()));
  for (std::size_t i = 0; i < step.branches.size(); ++i) {
    slots[static_cast<std::size_t>(step.branches[i])] = std::move(branches[i]);
  }
}

}  // namespace

// From another device the copy comes after what that device's stream has been given.
torch::Tensor Stage::on_device(const torch::Tensor& received) const {
  if (!received.defined() || received.device() == device_) return received;
  return received.to(device_, /*non_blocking=*/true);
}

void Stage::place_inputs(Tensors& slots, const Tensors& data, const std::vector<Tensors>& incoming, Activations* kept) {
  for (std::size_t i = 0; i < wiring_.data.size(); ++i) {
    slots[static_cast<std::size_t>(wiring_.data[i].slot)] = data[i];
  }
  for (std::size_t l = 0; l < wiring_.incoming.size(); ++l) {
    const IncomingLink& link = wiring_.incoming[l];
    for (std::size_t t = 0; t < link.tensors.size(); ++t) {
      const torch::Tensor received = on_device(incoming[l][t]);
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
      const GeneratorScope scope(forward_seed(seed_, layer.name, microbatch), device_);
      if (probing_ == nullptr) {
        outputs = layer.instance.forward(inputs);
      } else {
        probing_->draws[index] = draws_random_numbers([&] { outputs = layer.instance.forward(inputs); }, device_);
      }
    } else {
      outputs = layer.instance.forward(inputs);
    }
  } catch (const ConfigError&) {
    throw;
  } catch (const CommunicationError&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(fmt::format("layer '{}' failed with inputs {}: {}", layer.name, shapes(inputs), reason(error)));
  }
  demand_outputs(layer.name, outputs, step.outputs.size());
  return outputs;
}

bool Stage::is_time_to_drive() {
  if (!on_layer_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now - driven_ < kDriveInterval) return false;
  driven_ = now;
  return true;
}

void Stage::run_steps(Tensors& slots, std::int64_t microbatch, bool seeded) {
  driven_ = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < wiring_.steps.size(); ++i) {
    const LayerStep& step = wiring_.steps[i];
    Tensors outputs = run_layer(step, gather(slots, step.inputs), microbatch, seeded);
    if (is_time_to_drive()) {
      on_layer_();
      if (device_.is_cpu() && outputs.front().requires_grad()) {
        outputs.front().register_hook([this](const torch::Tensor&) { on_layer_(); });
      }
    }
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      slots[static_cast<std::size_t>(step.outputs[o])] = std::move(outputs[o]);
    }
    for (const FanOutStep& fan : step.fan_outs) fan_out(slots, fan, slots[static_cast<std::size_t>(fan.source)]);
    for (const int slot : releases_[i]) slots[static_cast<std::size_t>(slot)].reset();
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
    throw Error(fmt::format("'{}' failed with inputs {}: {}", layer.name, shapes(inputs), reason(error)));
  }
}

StageInputs StageInputs::clone() const {
  const auto cloned = [](const Tensors& tensors) {
    Tensors copies;
    for (const torch::Tensor& tensor : tensors) copies.push_back(tensor.defined() ? tensor.clone() : tensor);
    return copies;
  };
  StageInputs copy{cloned(data), {}};
  for (const Tensors& tensors : incoming) copy.incoming.push_back(cloned(tensors));
  return copy;
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

}  // namespace pipedream::detail

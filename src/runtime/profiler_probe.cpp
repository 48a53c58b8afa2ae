#include "runtime/profiler_probe.h"

#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include <exception>

#include "pipedream/error.h"
#include "runtime/layer_build.h"
#include "runtime/layer_checks.h"
#include "runtime/random.h"

namespace pipedream::detail {
namespace {

[[noreturn]] void fail(const ProfiledLayer& layer, const Tensors& inputs, const std::string& cause) {
  throw ConfigError(fmt::format("layer '{}' failed with inputs {}: {}", layer.name, shapes(inputs), cause));
}

// The layer's outputs; finds whether it draws.
Tensors first_run(ProfiledModel& model, std::size_t index, const Tensors& inputs) {
  const ProfiledLayer& layer = model.layers()[index];
  Tensors outputs;
  try {
    const bool draws = draws_random_numbers([&] { outputs = model.run(layer, inputs); }, model.device());
    model.set_draws(index, draws);
  } catch (const std::exception& error) {
    fail(layer, inputs, reason(error));
  }
  demand_outputs(layer.name, outputs, layer.outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].defined()) continue;
    throw ConfigError(fmt::format("layer '{}' returned no tensor for its output '{}'", layer.name,
                                  model.slots()[layer.outputs[i]].name));
  }
  return outputs;
}

void check_gradients(const ProfiledModel& model, const torch::Tensor& loss) {
  const std::string& loss_name = model.layers().back().name;
  if (loss.dim() != 0)
    throw ConfigError(fmt::format("the loss '{}' is no scalar: shape {}", loss_name, shapes({loss})));
  const Tensors parameters = model.trained_parameters();
  if (parameters.empty()) return;
  if (!loss.requires_grad()) throw ConfigError(fmt::format("the loss '{}' depends on no parameter", loss_name));
  const Tensors gradients = torch::autograd::grad({loss}, parameters, {}, std::nullopt, false, /*allow_unused=*/true);
  std::size_t next = 0;
  for (const ProfiledLayer& layer : model.layers()) {
    for (const auto& [name, parameter] : named_parameters(layer.name, layer.instance)) {
      if (!parameter.requires_grad()) continue;
      demand_gradient(name, gradients[next++]);
    }
  }
}

}  // namespace

ProbeResult probe(ProfiledModel& model, const Tensors& data) {
  ProbeResult result;
  result.values = data;
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const ProfiledLayer& layer = model.layers()[i];
    const WriteCheck parameters(layer.name, layer.instance);
    Tensors outputs = first_run(model, i, ProfiledModel::inputs_of(layer, result.values));
    parameters.demand_unchanged();
    for (std::size_t o = 0; o < outputs.size(); ++o) result.values[layer.outputs[o]] = std::move(outputs[o]);
  }
  check_gradients(model, result.values[model.loss_slot()]);
  for (torch::Tensor& value : result.values) {
    result.requires_gradient.push_back(value.requires_grad());
    value = value.detach();
  }
  return result;
}

}  // namespace pipedream::detail

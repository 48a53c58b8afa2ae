#include "runtime/profiler_probe.h"

#include <ATen/ops/allclose.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include <exception>

#include "pipedream/error.h"
#include "runtime/layer_build.h"
#include "runtime/random.h"

namespace pipedream::detail {
namespace {

std::string shapes(const Tensors& tensors) {
  std::vector<std::string> list;
  for (const torch::Tensor& tensor : tensors) {
    list.push_back(tensor.defined() ? fmt::format("[{}]", fmt::join(tensor.sizes(), ", ")) : "(undefined)");
  }
  return fmt::format("{}", fmt::join(list, ", "));
}

[[noreturn]] void fail(const ProfiledLayer& layer, const Tensors& inputs, const std::string& cause) {
  throw ConfigError(fmt::format("layer '{}' failed with inputs {}: {}", layer.name, shapes(inputs), cause));
}

// The layer's outputs; finds whether it draws.
Tensors first_run(ProfiledModel& model, std::size_t index, const Tensors& inputs) {
  const ProfiledLayer& layer = model.layers()[index];
  Tensors outputs;
  try {
    const bool draws = draws_random_numbers([&] { outputs = model.run(layer, inputs); });
    model.set_draws(index, draws);
  } catch (const c10::Error& error) {
    fail(layer, inputs, error.what_without_backtrace());
  } catch (const std::exception& error) {
    fail(layer, inputs, error.what());
  }
  if (outputs.size() != layer.outputs.size()) {
    throw ConfigError(fmt::format("layer '{}' returned {} tensor(s); the graph declares {}", layer.name, outputs.size(),
                                  layer.outputs.size()));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].defined()) continue;
    throw ConfigError(fmt::format("layer '{}' returned no tensor for its output '{}'", layer.name,
                                  model.slots()[layer.outputs[i]].name));
  }
  return outputs;
}

// A write through the tensor moves its version; one through its data does not.
class WriteCheck {
 public:
  explicit WriteCheck(const ProfiledLayer& layer)
      : layer_(layer.name), parameters_(named_parameters(layer.name, layer.instance)) {
    for (const auto& [name, parameter] : parameters_) {
      values_.push_back(parameter.detach().clone());
      versions_.push_back(parameter._version());
    }
  }
  void demand_unchanged() const {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const torch::Tensor now = parameters_[i].second.detach();
      const bool same = now.sizes() == values_[i].sizes() && at::allclose(now, values_[i], 0, 0, /*equal_nan=*/true);
      if (same && parameters_[i].second._version() == versions_[i]) continue;
      throw ConfigError(
          fmt::format("layer '{}' writes its parameter '{}' in forward; weights may only change in updates", layer_,
                      parameters_[i].first));
    }
  }

 private:
  std::string layer_;
  NamedTensorList parameters_;
  Tensors values_;
  std::vector<std::uint32_t> versions_;
};

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
      const torch::Tensor& gradient = gradients[next++];
      if (!gradient.defined()) {
        throw ConfigError(
            fmt::format("layer '{}': no gradient reaches its parameter '{}' from the loss", layer.name, name));
      }
      if (gradient.layout() != torch::kStrided) {
        throw ConfigError(
            fmt::format("layer '{}': the gradient of its parameter '{}' is sparse; only dense ones are supported",
                        layer.name, name));
      }
    }
  }
}

}  // namespace

ProbeResult probe(ProfiledModel& model, const Tensors& data) {
  ProbeResult result;
  result.values = data;
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const ProfiledLayer& layer = model.layers()[i];
    const WriteCheck parameters(layer);
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

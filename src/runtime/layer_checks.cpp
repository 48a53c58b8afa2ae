#include "runtime/layer_checks.h"

#include <ATen/ops/allclose.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "pipedream/error.h"

namespace pipedream::detail {

std::string shapes(const Tensors& tensors) {
  std::vector<std::string> list;
  for (const torch::Tensor& tensor : tensors) {
    list.push_back(tensor.defined() ? fmt::format("[{}]", fmt::join(tensor.sizes(), ", ")) : "(undefined)");
  }
  return fmt::format("{}", fmt::join(list, ", "));
}

std::string reason(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  return torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
}

void demand_outputs(const std::string& layer, const Tensors& outputs, std::size_t declared) {
  if (outputs.size() == declared) return;
  throw ConfigError(
      fmt::format("layer '{}' returned {} tensor(s); the graph declares {}", layer, outputs.size(), declared));
}

void demand_gradient(const std::string& parameter, const torch::Tensor& gradient) {
  if (!gradient.defined()) {
    throw ConfigError(fmt::format("no gradient reaches parameter '{}': the loss does not depend on it", parameter));
  }
  if (gradient.layout() != torch::kStrided) {
    throw ConfigError(
        fmt::format("the gradient of parameter '{}' is sparse; only dense ones are supported", parameter));
  }
}

WriteCheck::WriteCheck(std::string layer, const LayerInstance& instance)
    : layer_(std::move(layer)), parameters_(named_parameters(layer_, instance)) {
  for (const auto& [name, parameter] : parameters_) {
    values_.push_back(parameter.detach().clone());
    versions_.push_back(parameter._version());
  }
}

void WriteCheck::demand_unchanged() const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const torch::Tensor now = parameters_[i].second.detach();
    const bool same = now.sizes() == values_[i].sizes() && at::allclose(now, values_[i], 0, 0, /*equal_nan=*/true);
    if (same && parameters_[i].second._version() == versions_[i]) continue;
    throw ConfigError(fmt::format("layer '{}' writes its parameter '{}' in forward; weights may only change in updates",
                                  layer_, parameters_[i].first));
  }
}

}  // namespace pipedream::detail

// What only the first microbatch of a run is checked for.
#include <fmt/format.h>

#include "pipedream/error.h"
#include "runtime/stage.h"

namespace pipedream::detail {

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

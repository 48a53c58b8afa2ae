// What only the first microbatch of a run is checked for.
#include "runtime/layer_checks.h"
#include "runtime/stage.h"

namespace pipedream::detail {

ForwardResult Stage::probe(std::int64_t microbatch, const Tensors& data, const std::vector<Tensors>& incoming,
                           StageTraits& traits) {
  std::vector<WriteCheck> checks;
  for (const BuiltLayer& layer : layers_) checks.emplace_back(layer.name, layer.instance);
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
  for (const WriteCheck& check : checks) check.demand_unchanged();
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
  for (std::size_t i = 0; i < parameters_.size(); ++i) demand_gradient(parameters_[i].name, parameter_gradients[i]);
}

}  // namespace pipedream::detail

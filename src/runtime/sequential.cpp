// LayerGraph::sequential: an existing torch::nn::Sequential as layers.
#include <fmt/format.h>
#include <torch/nn/modules/container/sequential.h>

#include <map>
#include <memory>

#include "pipedream/error.h"
#include "pipedream/layer_graph.h"

namespace pipedream {
namespace {

// A copy of each child would silently untie weights that children share.
void refuse_shared_weights(const torch::nn::SequentialImpl& modules) {
  std::map<const void*, std::string> owner;
  for (const auto& child : modules.named_children()) {
    for (const torch::Tensor& parameter : child.value()->parameters()) {
      const auto [place, is_new] = owner.emplace(parameter.unsafeGetTensorImpl(), child.key());
      if (!is_new && place->second != child.key()) {
        throw ConfigError(
            fmt::format("sequential: children '{}' and '{}' share a parameter; tied weights are not supported",
                        place->second, child.key()));
      }
    }
  }
}

LayerInstance copy_of(torch::nn::AnyModule& child) {
  torch::nn::AnyModule copy = child.clone();
  const auto from = child.ptr()->named_parameters();
  // A clone starts from a new module, whose parameters all want gradients.
  for (auto& parameter : copy.ptr()->named_parameters()) {
    parameter.value().set_requires_grad(from[parameter.key()].requires_grad());
  }
  return {copy.ptr(), [copy](const Tensors& in) mutable { return Tensors{copy.forward(in.at(0))}; }};
}

}  // namespace

Value LayerGraph::sequential(const Value& input, const std::shared_ptr<torch::nn::SequentialImpl>& modules) {
  if (!modules || modules->is_empty()) throw ConfigError("sequential: there are no modules");
  refuse_shared_weights(*modules);
  const auto children = modules->named_children();
  Value value = input;
  for (std::size_t i = 0; i < children.size(); ++i) {
    const auto make = [modules, i] { return copy_of(*(modules->begin() + static_cast<std::ptrdiff_t>(i))); };
    value = add(children[i].key(), value, {children[i].key()}, make).front();
  }
  return value;
}

}  // namespace pipedream

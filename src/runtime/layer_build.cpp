#include "runtime/layer_build.h"

#include <fmt/format.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/embedding.h>

#include <exception>

#include "pipedream/error.h"
#include "runtime/random.h"

namespace pipedream {
namespace {

template <class Options>
void refuse_unstashable(const std::string& layer, const std::string& kind, const Options& options) {
  if (options.max_norm()) {
    throw ConfigError(fmt::format(
        "layer '{}': {} with max_norm {} writes its weights in forward, which weight versions cannot follow", layer,
        kind, *options.max_norm()));
  }
  if (options.sparse()) {
    throw ConfigError(fmt::format("layer '{}': {} with sparse gradients; only dense ones are supported", layer, kind));
  }
}

void refuse_unsupported(const std::string& layer, const torch::nn::Module& module) {
  for (const auto& part : module.modules()) {
    if (const auto* embedding = part->as<torch::nn::EmbeddingImpl>()) {
      refuse_unstashable(layer, "Embedding", embedding->options);
    } else if (const auto* bag = part->as<torch::nn::EmbeddingBagImpl>()) {
      refuse_unstashable(layer, "EmbeddingBag", bag->options);
    }
  }
}

// A module that lives outside of its layer is, or can be, part of another one. In a stage of its own each would train a
// copy, and nobody would notice that the weights are tied no more.
void refuse_shared(const std::string& layer, const LayerInstance& instance) {
  if (instance.module->parameters().empty()) return;
  const long held = instance.module.use_count();
  const auto copy_of_call = instance.forward;
  const long held_by_call = instance.module.use_count() - held;
  if (held == 1 + held_by_call) return;
  throw ConfigError(
      fmt::format("layer '{}': its factory returned a module that is held elsewhere too, so that layers may share its "
                  "weights. Tied "
                  "weights are not supported: have the factory make a new module each time",
                  layer));
}

LayerInstance call_factory(const Layer& layer, std::uint64_t run_seed) {
  const GeneratorScope scope(layer_seed(run_seed, layer.name));
  try {
    return layer.make();
  } catch (const std::exception& failure) {
    throw ConfigError(fmt::format("layer '{}': its factory failed: {}", layer.name, failure.what()));
  }
}

template <class Items>
NamedTensorList prefixed(const std::string& layer, const Items& items) {
  NamedTensorList list;
  for (const auto& item : items) list.emplace_back(layer + "." + item.key(), item.value());
  return list;
}

}  // namespace

LayerInstance build_layer(const Layer& layer, std::uint64_t run_seed, torch::Device device) {
  LayerInstance instance = call_factory(layer, run_seed);
  if (!instance.module) return instance;
  refuse_shared(layer.name, instance);
  refuse_unsupported(layer.name, *instance.module);
  instance.module->to(device);
  return instance;
}

NamedTensorList named_parameters(const std::string& layer, const LayerInstance& instance) {
  if (!instance.module) return {};
  return prefixed(layer, instance.module->named_parameters());
}

NamedTensorList named_buffers(const std::string& layer, const LayerInstance& instance) {
  if (!instance.module) return {};
  return prefixed(layer, instance.module->named_buffers());
}

}  // namespace pipedream

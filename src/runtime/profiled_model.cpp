#include "runtime/profiled_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <utility>

#include "pipedream/error.h"
#include "runtime/host_copies.h"
#include "runtime/layer_build.h"
#include "runtime/random.h"

namespace pipedream::detail {

Tensors trained_parameters(const LayerInstance& instance) {
  Tensors parameters;
  if (!instance.module) return parameters;
  for (const torch::Tensor& parameter : instance.module->parameters()) {
    if (parameter.requires_grad()) parameters.push_back(parameter);
  }
  return parameters;
}

ProfiledModel::ProfiledModel(const LayerGraph& graph, std::uint64_t seed, torch::Device device)
    : seed_(seed), device_(device) {
  graph.check();
  for (const auto* names : {&graph.inputs(), &graph.targets()}) {
    for (const std::string& name : *names) slots_.push_back({name, 0, {}, true});
  }
  for (const Layer& layer : graph.layers()) {
    add_layer(layer.name, layer.inputs, layer.outputs, build_layer(layer, seed, device));
  }
  const WeightedLayer& loss = graph.loss_layer();
  const auto mean = [function = loss.function](const Tensors& inputs) { return Tensors{function(inputs).mean}; };
  add_layer(loss.name, loss.inputs, {loss.name}, {nullptr, mean});
  find_last_uses();
}

std::size_t ProfiledModel::slot_of(const std::string& tensor) const {
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.name == tensor; });
  return static_cast<std::size_t>(found - slots_.begin());
}

void ProfiledModel::add_layer(const std::string& name, const std::vector<std::string>& inputs,
                              const std::vector<std::string>& outputs, LayerInstance instance) {
  ProfiledLayer layer;
  layer.name = name;
  layer.instance = std::move(instance);
  for (const std::string& tensor : inputs) {
    layer.inputs.push_back(slot_of(tensor));
    slots_[layer.inputs.back()].consumers.push_back(layers_.size());
  }
  for (const std::string& tensor : outputs) {
    layer.outputs.push_back(slots_.size());
    slots_.push_back({tensor, layers_.size(), {}, false});
  }
  layers_.push_back(std::move(layer));
}

void ProfiledModel::find_last_uses() {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    const auto& consumers = slots_[slot].consumers;
    if (!consumers.empty()) layers_[consumers.back()].last_uses.push_back(slot);
  }
}

Tensors ProfiledModel::fetch(const Dataset& data, const std::vector<std::int64_t>& rows) {
  const std::vector<std::string> names = data.names();
  Tensors tensors(slots_.size());
  data_.clear();
  host_data_.clear();
  for (std::size_t slot = 0; slot < slots_.size() && slots_[slot].is_data; ++slot) {
    if (std::find(names.begin(), names.end(), slots_[slot].name) == names.end()) {
      throw ConfigError(fmt::format("the graph's data '{}' is not in the data set; it has: {}", slots_[slot].name,
                                    fmt::join(names, ", ")));
    }
    host_data_.push_back(data.fetch(slots_[slot].name, rows));
    data_.push_back(host_data_.back().to(device_));
    tensors[slot] = data_.back();
  }
  return tensors;
}

Tensors ProfiledModel::run(const ProfiledLayer& layer, const Tensors& inputs) const {
  const HostCopyScope host_copies(data_, host_data_);
  if (!layer.draws) return layer.instance.forward(inputs);
  const GeneratorScope scope(forward_seed(seed_, layer.name, 0), device_);
  return layer.instance.forward(inputs);
}

Tensors ProfiledModel::inputs_of(const ProfiledLayer& layer, const Tensors& slots) {
  Tensors inputs;
  inputs.reserve(layer.inputs.size());
  for (const std::size_t slot : layer.inputs) inputs.push_back(slots[slot]);
  return inputs;
}

void ProfiledModel::forward(Tensors& slots) const {
  for (const ProfiledLayer& layer : layers_) {
    Tensors outputs = run(layer, inputs_of(layer, slots));
    for (std::size_t i = 0; i < outputs.size(); ++i) slots[layer.outputs[i]] = std::move(outputs[i]);
    for (const std::size_t slot : layer.last_uses) slots[slot].reset();
  }
}

Tensors ProfiledModel::trained_parameters() const {
  Tensors all;
  for (const ProfiledLayer& layer : layers_) {
    Tensors parameters = detail::trained_parameters(layer.instance);
    all.insert(all.end(), parameters.begin(), parameters.end());
  }
  return all;
}

}  // namespace pipedream::detail

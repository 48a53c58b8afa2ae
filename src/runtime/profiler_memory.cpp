#include "runtime/profiler_memory.h"

#include <torch/nn/module.h>

#include <algorithm>

#include "runtime/layer_memory.h"

namespace pipedream::detail {
namespace {

class Account {
 public:
  Account(const ProfiledModel& model, const ProbeResult& probe) : model_(model), probe_(probe) {
    for (std::size_t layer = 0; layer < model.layers().size(); ++layer) {
      memory_.push_back(measure_layer_memory(model, layer, probe));
    }
    own_storage_.assign(model.slots().size(), false);
    for (const LayerMemory& layer : memory_) {
      for (const OutputMemory& output : layer.outputs) own_storage_[output.slot] = output.own;
    }
    charge_aliases();
  }

  std::vector<LayerProfile> profiles() {
    std::vector<LayerProfile> profiles;
    for (std::size_t layer = 0; layer < memory_.size(); ++layer) {
      LayerProfile& profile = profiles.emplace_back();
      profile.name = model_.layers()[layer].name;
      profile.kept_bytes = memory_[layer].kept_bytes;
      profile.forward_peak_bytes = memory_[layer].forward_peak_bytes;
      profile.backward_peak_bytes = memory_[layer].backward_peak_bytes;
      count_state(model_.layers()[layer].instance, profile);
      count_outputs(layer, profile);
    }
    for (std::size_t layer = 0; layer < memory_.size(); ++layer) count_inputs(layer, profiles);
    return profiles;
  }

  std::vector<std::optional<std::size_t>> views() const {
    std::vector<std::optional<std::size_t>> views(model_.slots().size());
    for (const LayerMemory& layer : memory_) {
      for (const OutputMemory& output : layer.outputs) views[output.slot] = output.alias;
    }
    return views;
  }

 private:
  std::vector<InputMemory*> uses_of(std::size_t slot) {
    std::vector<InputMemory*> uses;
    for (const std::size_t consumer : model_.slots()[slot].consumers) {
      for (InputMemory& input : memory_[consumer].inputs) {
        if (input.slot == slot) uses.push_back(&input);
      }
    }
    return uses;
  }

  bool take_uses(std::size_t slot) {
    bool kept = false;
    for (InputMemory* use : uses_of(slot)) {
      kept = kept || use->kept;
      use->kept = false;
    }
    return kept;
  }

  // Later layers first, so that views of views are charged to whoever made the storage.
  void charge_aliases() {
    for (auto layer = memory_.rbegin(); layer != memory_.rend(); ++layer) {
      for (auto output = layer->outputs.rbegin(); output != layer->outputs.rend(); ++output) {
        if (output->own) continue;
        if (!take_uses(output->slot) || !output->alias) continue;
        for (InputMemory& input : layer->inputs) input.kept = input.kept || input.slot == *output->alias;
        for (OutputMemory& other : layer->outputs) other.kept = other.kept || other.slot == *output->alias;
      }
    }
  }

  static void count_state(const LayerInstance& instance, LayerProfile& profile) {
    if (!instance.module) return;
    for (const torch::Tensor& parameter : instance.module->parameters()) {
      (parameter.requires_grad() ? profile.parameter_bytes : profile.buffer_bytes) += tensor_bytes(parameter);
    }
    for (const torch::Tensor& buffer : instance.module->buffers()) profile.buffer_bytes += tensor_bytes(buffer);
  }

  void count_outputs(std::size_t layer, LayerProfile& profile) {
    const auto& outputs = memory_[layer].outputs;
    const auto keeps = [](const OutputMemory& output) { return output.own && output.kept; };
    const bool is_loss = layer + 1 == memory_.size();
    profile.keeps_output = !is_loss && std::all_of(outputs.begin(), outputs.end(), keeps);
    for (const OutputMemory& output : outputs) {
      if (!output.own) continue;
      const std::int64_t bytes = tensor_bytes(probe_.values[output.slot]);
      bool kept = output.kept;
      for (const InputMemory* use : uses_of(output.slot)) kept = kept || use->kept;
      if (kept) profile.kept_bytes += std::max<std::int64_t>(output.storage_bytes - bytes, 0);
      if (output.kept && !profile.keeps_output) profile.kept_bytes += bytes;
    }
  }

  void count_inputs(std::size_t layer, std::vector<LayerProfile>& profiles) {
    LayerProfile& profile = profiles[layer];
    std::size_t tensors = 0;
    std::size_t kept_tensors = 0;
    for (const InputMemory& input : memory_[layer].inputs) {
      if (model_.slots()[input.slot].is_data) {
        profile.data_bytes += input.storage_bytes;
        if (input.kept) profile.kept_bytes += input.storage_bytes;
        continue;
      }
      ++tensors;
      if (input.kept && own_storage_[input.slot]) ++kept_tensors;
    }
    profile.keeps_input = tensors > 0 && kept_tensors == tensors;
    if (profile.keeps_input) return;
    for (const InputMemory& input : memory_[layer].inputs) {
      const Slot& slot = model_.slots()[input.slot];
      if (slot.is_data || !input.kept || !own_storage_[input.slot] || profiles[slot.producer].keeps_output) continue;
      profile.kept_bytes += tensor_bytes(probe_.values[input.slot]);
    }
  }

  const ProfiledModel& model_;
  const ProbeResult& probe_;
  std::vector<LayerMemory> memory_;
  std::vector<bool> own_storage_;  // by slot
};

}  // namespace

std::int64_t tensor_bytes(const torch::Tensor& tensor) { return tensor.numel() * tensor.element_size(); }

ModelMemory measure_memory(const ProfiledModel& model, const ProbeResult& probe) {
  Account account(model, probe);
  return {account.profiles(), account.views()};
}

}  // namespace pipedream::detail

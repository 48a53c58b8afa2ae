// A whole model built in one place, for measuring: its layers in graph order, the loss as the last of them, joined by
// numbered slots.
//
// One thread. Layers that draw random numbers are seeded as in microbatch 0 of a run.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pipedream/data.h"
#include "pipedream/layer_graph.h"

namespace pipedream::detail {

struct Slot {
  std::string name;
  std::size_t producer = 0;            // layer; without meaning for data
  std::vector<std::size_t> consumers;  // layers, once per use
  bool is_data = false;
};

struct ProfiledLayer {
  std::string name;
  std::vector<std::size_t> inputs;     // slots
  std::vector<std::size_t> outputs;    // slots; the loss has one
  std::vector<std::size_t> last_uses;  // slots that nobody uses after this layer
  LayerInstance instance;
  bool draws = false;
};

class ProfiledModel {
 public:
  // Builds every layer. Throws what LayerGraph::check and build_layer throw.
  ProfiledModel(const LayerGraph& graph, std::uint64_t seed, torch::Device device);

  const std::vector<ProfiledLayer>& layers() const { return layers_; }
  const std::vector<Slot>& slots() const { return slots_; }
  torch::Device device() const { return device_; }
  std::size_t loss_slot() const { return layers_.back().outputs.front(); }
  void set_draws(std::size_t layer, bool draws) { layers_[layer].draws = draws; }

  // Slots with the named data of these rows, the others undefined. Throws ConfigError where the data lacks a name.
  Tensors fetch(const Dataset& data, const std::vector<std::int64_t>& rows);
  // Runs one layer, in a GeneratorScope where it draws.
  Tensors run(const ProfiledLayer& layer, const Tensors& inputs) const;
  // Takes a layer's inputs from the slots.
  static Tensors inputs_of(const ProfiledLayer& layer, const Tensors& slots);
  // Runs all layers and releases every tensor after its last use; what is left is the loss.
  void forward(Tensors& slots) const;
  // That are trained, of all layers in order.
  Tensors trained_parameters() const;

 private:
  void add_layer(const std::string& name, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs, LayerInstance instance);
  std::size_t slot_of(const std::string& tensor) const;
  void find_last_uses();

  std::vector<ProfiledLayer> layers_;
  std::vector<Slot> slots_;
  Tensors data_;       // by slot, as fetched last
  Tensors host_data_;  // on the host
  std::uint64_t seed_;
  torch::Device device_;
};

// Parameters that want gradients.
Tensors trained_parameters(const LayerInstance& instance);

}  // namespace pipedream::detail

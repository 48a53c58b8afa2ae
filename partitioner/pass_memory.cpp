#include "partitioner/pass_memory.h"

#include <algorithm>
#include <utility>

#include "partitioner/index.h"

namespace pipedream::detail {

PassWalk::PassWalk(const Profile& profile, const std::vector<TensorEnds>& ends)
    : profile_(profile),
      count_(static_cast<int>(profile.layers.size())),
      tensors_of_(profile.layers.size()),
      storage_of_(ends.size(), kElsewhere),
      storages_(ends.size()),
      is_in_(profile.layers.size(), 0),
      forward_(count_),
      backward_(count_) {
  note_tensors(ends);
  for (int l = 0; l < count_; ++l) {
    const LayerProfile& layer = profile.layers[at(l)];
    LayerTensors& tensors = tensors_of_[at(l)];
    std::int64_t before = layer.kept_bytes;
    std::int64_t after = layer.parameter_bytes;
    for (const int t : tensors.outputs) {
      const TensorProfile& output = profile.tensors[at(t)];
      before += (layer.keeps_output ? output.bytes : 0) + (output.requires_gradient ? output.bytes : 0);
    }
    for (const Use& use : tensors.inputs) {
      const TensorProfile& input = profile.tensors[at(use.tensor)];
      before += layer.keeps_input ? input.bytes : 0;
      after += input.requires_gradient ? input.bytes : 0;
    }
    // Where the profile did not measure it: what the layer leaves beyond what it held before, when nothing else is
    // there.
    tensors.made_in_backward = std::max(layer.backward_peak_bytes, after - before);
  }
}

void PassWalk::note_tensors(const std::vector<TensorEnds>& ends) {
  for (int t = 0; t < static_cast<int>(ends.size()); ++t) {
    const TensorEnds& tensor = ends[at(t)];
    producer_.push_back(tensor.producer);
    view_of_.push_back(tensor.view_of);
    uses_.push_back(static_cast<int>(tensor.consumers.size()));
    tensors_of_[at(tensor.producer)].outputs.push_back(t);
    for (const int consumer : tensor.consumers) {
      std::vector<Use>& inputs = tensors_of_[at(consumer)].inputs;
      if (inputs.empty() || inputs.back().tensor != t) inputs.push_back({t, 0});
      ++inputs.back().times;
    }
  }
}

void PassWalk::add_layer(int layer) {
  layers_.push_back(layer);
  is_in_[at(layer)] = 1;
  changes_before_.push_back(changes_.size());
  count_layer(layer, 1);
  for (const Use& input : tensors_of_[at(layer)].inputs) use(layer, input);
  for (const int output : tensors_of_[at(layer)].outputs) make(layer, output);
  forward_.enter(layer, profile_.layers[at(layer)].forward_peak_bytes);
  backward_.enter(layer, tensors_of_[at(layer)].made_in_backward);
}

void PassWalk::remove_last_layer() {
  const int layer = layers_.back();
  forward_.leave(layer);
  backward_.leave(layer);
  for (; changes_.size() > changes_before_.back(); changes_.pop_back()) {
    const Change& last = changes_.back();
    change(last.storage, last.before);
    if (last.tensor != kElsewhere) storage_of_[at(last.tensor)] = kElsewhere;
  }
  count_layer(layer, -1);
  is_in_[at(layer)] = 0;
  layers_.pop_back();
  changes_before_.pop_back();
}

void PassWalk::clear() {
  for (const Change& change : changes_) {
    storages_[at(change.storage)] = {};
    if (change.tensor != kElsewhere) storage_of_[at(change.tensor)] = kElsewhere;
  }
  for (const int layer : layers_) is_in_[at(layer)] = 0;
  layers_.clear();
  changes_.clear();
  changes_before_.clear();
  sums_ = {};
  forward_.clear();
  backward_.clear();
}

PassMemory PassWalk::measure() const {
  PassMemory result = sums_;
  result.forward_peak = forward_.greatest();
  result.backward_peak = backward_.greatest();
  return result;
}

void PassWalk::count_layer(int layer, int sign) {
  const LayerProfile& of = profile_.layers[at(layer)];
  sums_.held += sign * of.kept_bytes;
  sums_.data += sign * of.data_bytes;
  forward_.add({layer, count_, sign * of.kept_bytes});
  backward_.add({layer, count_, sign * of.kept_bytes});
  backward_.add({0, layer, sign * of.parameter_bytes});
}

void PassWalk::use(int layer, const Use& input) {
  Storage storage = entered(input.tensor, input.tensor);
  storage.last_user = layer;
  const bool keeps = profile_.layers[at(layer)].keeps_input;
  if (keeps && storage.first_keeper == kElsewhere) storage.first_keeper = layer;
  if (is_in_[at(producer_[at(input.tensor)])]) storage.uses_outside -= input.times;
  change(storage_of_[at(input.tensor)], storage);
}

void PassWalk::make(int layer, int tensor) {
  // A view that is made in the stage is no memory of its own, nor is its gradient.
  const int viewed = view_of_[at(tensor)];
  Storage storage = entered(tensor, viewed == kElsewhere ? tensor : storage_of_[at(viewed)]);
  if (viewed == kElsewhere) storage.producer = layer;
  const bool keeps = profile_.layers[at(layer)].keeps_output;
  if (keeps && storage.first_keeper == kElsewhere) storage.first_keeper = layer;
  storage.uses_outside += uses_[at(tensor)];
  change(storage_of_[at(tensor)], storage);
}

// The storage with the tensor in it, but for who makes and uses it.
PassWalk::Storage PassWalk::entered(int tensor, int storage) {
  const Storage& before = storages_[at(storage)];
  if (storage_of_[at(tensor)] != kElsewhere) {
    changes_.push_back({storage_of_[at(tensor)], kElsewhere, storages_[at(storage_of_[at(tensor)])]});
    return changes_.back().before;
  }
  changes_.push_back({storage, tensor, before});
  storage_of_[at(tensor)] = storage;
  Storage after = before;
  after.bytes = std::max(before.bytes, profile_.tensors[at(tensor)].bytes);
  after.requires_gradient = before.requires_gradient || profile_.tensors[at(tensor)].requires_gradient;
  return after;
}

void PassWalk::change(int storage, const Storage& after) {
  const Storage before = std::exchange(storages_[at(storage)], after);
  sums_.held += after.held_bytes() - before.held_bytes();
  sums_.received += after.received_bytes() - before.received_bytes();
  forward_.replace(live_in_forward(before), live_in_forward(after));
  backward_.replace(ends_in_backward(before), ends_in_backward(after));
  backward_.replace(kept_in_backward(before), kept_in_backward(after));
  backward_.replace(gradient_in_backward(before), gradient_in_backward(after));
}

CountedRange PassWalk::live_in_forward(const Storage& storage) const {
  const int first = std::max(storage.producer, 0);
  return {first, storage.is_held() ? count_ : std::max(storage.last_user, first) + 1, storage.bytes};
}

// What comes in and goes out is there all the time, and so is the gradient that came for it.
CountedRange PassWalk::ends_in_backward(const Storage& storage) const {
  const bool has_gradient = storage.is_sent() && storage.requires_gradient;
  return {0, storage.is_at_end() ? count_ : 0, storage.bytes + (has_gradient ? storage.bytes : 0)};
}

CountedRange PassWalk::kept_in_backward(const Storage& storage) const {
  const bool is_kept = !storage.is_at_end() && storage.first_keeper != kElsewhere;
  return {std::max(storage.first_keeper, 0), is_kept ? count_ : 0, storage.bytes};
}

// The gradient of a tensor lives from its last user's backward to its producer's; of one that came in, until it is
// sent.
CountedRange PassWalk::gradient_in_backward(const Storage& storage) {
  return {std::max(storage.producer, 0), storage.requires_gradient ? storage.last_user : 0, storage.bytes};
}

}  // namespace pipedream::detail

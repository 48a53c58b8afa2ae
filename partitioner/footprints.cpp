#include "partitioner/footprints.h"

#include <algorithm>

namespace pipedream::detail {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

void add_layer(StageFootprint& sum, const LayerProfile& layer) {
  sum.parameter_bytes += layer.parameter_bytes;
  sum.buffer_bytes += layer.buffer_bytes;
  sum.in_flight_bytes += layer.kept_bytes;
  sum.peak_bytes = std::max({sum.peak_bytes, layer.forward_peak_bytes, layer.backward_peak_bytes});
}

bool is_kept_inside(const Profile& profile, const TensorEnds& ends) {
  bool kept = profile.layers[at(ends.producer)].keeps_output;
  for (const int consumer : ends.consumers) kept = kept || profile.layers[at(consumer)].keeps_input;
  return kept;
}

}  // namespace

StageFootprints::StageFootprints(const Profile& profile, const PlanningStates& states)
    : profile_(profile), states_(states), ends_(tensor_ends(profile)) {
  if (!states.are_ordered()) return;
  step_of_layer_.resize(profile.layers.size());
  for (int step = 0; step < states.last(); ++step) {
    StageFootprint& sum = steps_.emplace_back();
    for (const int layer : states.layers_between(step, step + 1)) {
      step_of_layer_[at(layer)] = step;
      add_layer(sum, profile.layers[at(layer)]);
    }
  }
  for (std::size_t t = 0; t < ends_.size(); ++t) {
    Tensor tensor{
        {step_of_layer_[at(ends_[t].producer)], {}}, profile.tensors[t].bytes, is_kept_inside(profile, ends_[t])};
    for (const int consumer : ends_[t].consumers) tensor.ends.consumers.push_back(step_of_layer_[at(consumer)]);
    std::sort(tensor.ends.consumers.begin(), tensor.ends.consumers.end());
    tensors_.push_back(std::move(tensor));
  }
}

std::vector<StageFootprint> StageFootprints::row(int first) const {
  if (states_.are_ordered()) return row_along(first);
  std::vector<StageFootprint> result(at(states_.last() - first));
  for (int end = first + 1; end <= states_.last(); ++end) {
    if (states_.nested(first, end)) result[at(end - first - 1)] = between(first, end);
  }
  return result;
}

std::vector<StageFootprint> StageFootprints::row_along(int first) const {
  // change[e]: bytes of tensors that the stage ending at e holds and the one ending at e - 1 does not.
  std::vector<std::int64_t> change(steps_.size() + 2, 0);
  for (const Tensor& tensor : tensors_) {
    const auto& consumers = tensor.ends.consumers;
    if (tensor.ends.producer < first) {
      const auto user = std::lower_bound(consumers.begin(), consumers.end(), first);
      if (user != consumers.end()) change[at(*user + 1)] += tensor.bytes;
    } else if (tensor.kept_inside) {
      change[at(tensor.ends.producer + 1)] += tensor.bytes;
    } else if (!consumers.empty()) {
      change[at(tensor.ends.producer + 1)] += tensor.bytes;
      change[at(consumers.back() + 1)] -= tensor.bytes;
    }
  }
  std::vector<StageFootprint> result;
  StageFootprint sum;
  for (std::size_t step = at(first); step < steps_.size(); ++step) {
    sum.parameter_bytes += steps_[step].parameter_bytes;
    sum.buffer_bytes += steps_[step].buffer_bytes;
    sum.in_flight_bytes += steps_[step].in_flight_bytes + change[step + 1];
    sum.peak_bytes = std::max(sum.peak_bytes, steps_[step].peak_bytes);
    result.push_back(sum);
  }
  return result;
}

StageFootprint StageFootprints::between(int first, int end) const {
  std::vector<int> is_outside(profile_.layers.size(), 1);
  states_.set(end).for_each_without(states_.set(first), [&](int layer) { is_outside[at(layer)] = 0; });
  return stage_footprint(profile_, ends_, is_outside, 0);
}

}  // namespace pipedream::detail

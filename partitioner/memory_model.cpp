#include "partitioner/memory_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pipedream::detail {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

std::int64_t add(std::int64_t a, std::int64_t b) { return a > kMost - b ? kMost : a + b; }

std::int64_t multiply(std::int64_t a, std::int64_t b) { return b != 0 && a > kMost / b ? kMost : a * b; }

std::int64_t optimizer_bytes(std::int64_t parameter_bytes, double factor) {
  const double bytes = std::ceil(static_cast<double>(parameter_bytes) * factor);
  return bytes >= 0x1p63 ? kMost : static_cast<std::int64_t>(bytes);
}

std::int64_t peak_of(const LayerProfile& layer) {
  return std::max(layer.forward_peak_bytes, layer.backward_peak_bytes);
}

}  // namespace

StageCosts memory_costs(const StageFootprint& footprint, const StageUse& use) {
  StageCosts costs;
  costs.version_bytes = footprint.parameter_bytes;
  costs.in_flight_bytes = use.recompute ? footprint.received_bytes : footprint.in_flight_bytes;
  costs.resident_bytes = add(multiply(footprint.parameter_bytes, 1 + use.reduce_delay), footprint.buffer_bytes);
  costs.resident_bytes =
      add(costs.resident_bytes, optimizer_bytes(footprint.parameter_bytes, use.optimizer_state_factor));
  costs.transient_bytes = add(footprint.peak_bytes, use.recompute ? footprint.in_flight_bytes : 0);
  return costs;
}

std::int64_t memory_bytes(const StageCosts& costs, const StageLoad& load) {
  const std::int64_t held =
      add(multiply(costs.version_bytes, load.versions), multiply(costs.in_flight_bytes, load.in_flight));
  return add(add(costs.resident_bytes, costs.transient_bytes), held);
}

std::int64_t memory_bytes(const StageFootprint& footprint, double optimizer_state_factor) {
  return memory_bytes(memory_costs(footprint, {.optimizer_state_factor = optimizer_state_factor}), {});
}

int greatest_warmup(const StageCosts& costs, std::int64_t limit_bytes) {
  const std::int64_t fixed = add(costs.resident_bytes, costs.transient_bytes);
  if (fixed > limit_bytes) return -1;
  const std::int64_t each = add(costs.version_bytes, costs.in_flight_bytes);
  constexpr std::int64_t kUnbounded = std::numeric_limits<int>::max();
  if (each == 0) return static_cast<int>(kUnbounded);
  return static_cast<int>(std::min((limit_bytes - fixed) / each - 1, kUnbounded));
}

StageFootprint stage_footprint(const Profile& profile, const std::vector<TensorEnds>& ends,
                               const std::vector<int>& stage_of_layer, int stage) {
  const auto inside = [&](int layer) { return stage_of_layer[static_cast<std::size_t>(layer)] == stage; };
  StageFootprint result;
  for (std::size_t l = 0; l < profile.layers.size(); ++l) {
    if (stage_of_layer[l] != stage) continue;
    const LayerProfile& layer = profile.layers[l];
    result.parameter_bytes += layer.parameter_bytes;
    result.buffer_bytes += layer.buffer_bytes;
    result.in_flight_bytes += layer.kept_bytes;
    result.peak_bytes = std::max(result.peak_bytes, peak_of(layer));
  }
  for (std::size_t t = 0; t < ends.size(); ++t) {
    const bool made_here = inside(ends[t].producer);
    bool held = made_here && profile.layers[static_cast<std::size_t>(ends[t].producer)].keeps_output;
    for (const int consumer : ends[t].consumers) {
      const bool used_here = inside(consumer);
      const bool keeps = profile.layers[static_cast<std::size_t>(consumer)].keeps_input;
      held = held || (made_here ? !used_here || keeps : used_here);
    }
    if (!held) continue;
    result.in_flight_bytes += profile.tensors[t].bytes;
    if (!made_here) result.received_bytes += profile.tensors[t].bytes;
  }
  return result;
}

RangeFootprints::RangeFootprints(const Profile& profile) : layers_(profile.layers) {
  std::vector<TensorEnds> ends = tensor_ends(profile);
  for (std::size_t t = 0; t < ends.size(); ++t) {
    bool kept = layers_[static_cast<std::size_t>(ends[t].producer)].keeps_output;
    for (const int consumer : ends[t].consumers) kept = kept || layers_[static_cast<std::size_t>(consumer)].keeps_input;
    tensors_.push_back({std::move(ends[t]), profile.tensors[t].bytes, kept});
  }
}

std::vector<StageFootprint> RangeFootprints::row(int first) const {
  // change[e]: bytes of tensors that the range ending at e holds and the one ending at e - 1 does not.
  std::vector<std::int64_t> change(layers_.size() + 2, 0);
  const auto from = [&](int end) -> std::int64_t& { return change[static_cast<std::size_t>(end)]; };
  for (const Tensor& tensor : tensors_) {
    const auto& consumers = tensor.ends.consumers;
    if (tensor.ends.producer < first) {
      const auto user = std::lower_bound(consumers.begin(), consumers.end(), first);
      if (user != consumers.end()) from(*user + 1) += tensor.bytes;
    } else if (tensor.kept_inside) {
      from(tensor.ends.producer + 1) += tensor.bytes;
    } else if (!consumers.empty()) {
      from(tensor.ends.producer + 1) += tensor.bytes;
      from(consumers.back() + 1) -= tensor.bytes;
    }
  }
  std::vector<StageFootprint> result;
  StageFootprint sum;
  for (std::size_t l = static_cast<std::size_t>(first); l < layers_.size(); ++l) {
    sum.parameter_bytes += layers_[l].parameter_bytes;
    sum.buffer_bytes += layers_[l].buffer_bytes;
    sum.in_flight_bytes += layers_[l].kept_bytes + change[l + 1];
    sum.peak_bytes = std::max(sum.peak_bytes, peak_of(layers_[l]));
    result.push_back(sum);
  }
  return result;
}

}  // namespace pipedream::detail

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

// What does not depend on the depth.
std::int64_t fixed_bytes(const StageFootprint& footprint, int reduce_delay, double factor) {
  return add(resident_bytes(footprint, reduce_delay, factor), footprint.peak_bytes);
}

std::int64_t peak_of(const LayerProfile& layer) {
  return std::max(layer.forward_peak_bytes, layer.backward_peak_bytes);
}

}  // namespace

std::int64_t resident_bytes(const StageFootprint& footprint, int reduce_delay, double optimizer_state_factor) {
  std::int64_t bytes = multiply(footprint.parameter_bytes, 1 + reduce_delay);
  bytes = add(bytes, optimizer_bytes(footprint.parameter_bytes, optimizer_state_factor));
  return add(bytes, footprint.buffer_bytes);
}

std::int64_t memory_bytes(const StageFootprint& footprint, const StageLoad& load, int reduce_delay,
                          double optimizer_state_factor, bool recompute) {
  const std::int64_t activations =
      recompute ? add(multiply(footprint.received_bytes, load.in_flight), footprint.in_flight_bytes)
                : multiply(footprint.in_flight_bytes, load.in_flight);
  const std::int64_t held = add(multiply(footprint.parameter_bytes, load.versions), activations);
  return add(fixed_bytes(footprint, reduce_delay, optimizer_state_factor), held);
}

int greatest_warmup(const StageFootprint& footprint, int reduce_delay, double optimizer_state_factor,
                    std::int64_t limit_bytes) {
  const std::int64_t fixed = fixed_bytes(footprint, reduce_delay, optimizer_state_factor);
  if (fixed > limit_bytes) return -1;
  const std::int64_t each = add(footprint.parameter_bytes, footprint.in_flight_bytes);
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

}  // namespace pipedream::detail

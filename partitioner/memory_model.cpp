#include "partitioner/memory_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pipedream::detail {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

std::int64_t add(std::int64_t a, std::int64_t b) { return a > kMost - b ? kMost : a + b; }

std::int64_t multiply(std::int64_t a, std::int64_t b) { return b != 0 && a > kMost / b ? kMost : a * b; }

std::int64_t state_bytes(std::int64_t parameter_bytes, double factor) {
  const double bytes = std::ceil(static_cast<double>(parameter_bytes) * factor);
  return bytes >= 0x1p63 ? kMost : static_cast<std::int64_t>(bytes);
}

// Adam's step makes two tensors of a parameter's size, a delay correction one, when it looks at the step; plain SGD,
// also with momentum, none.
std::int64_t update_bytes(const StageFootprint& footprint, const StageUse& use) {
  if (use.optimizer_state_factor >= 2) return multiply(footprint.greatest_layer_bytes, 2);
  return use.correction_state_factor > 0 ? footprint.greatest_layer_bytes : 0;
}

// Whatever the depth. The update of a microbatch comes when its backward has ended.
std::int64_t fixed_bytes(const StageCosts& costs) {
  const std::int64_t unheld = costs.most_gradient_bytes == 0 ? costs.version_bytes : 0;
  const std::int64_t update = add(unheld, costs.update_transient_bytes) - costs.in_flight_bytes;
  const std::int64_t transient = std::max({costs.forward_transient_bytes, costs.backward_transient_bytes, update});
  return add(add(costs.resident_bytes, costs.most_gradient_bytes), transient);
}

}  // namespace

StageUse use_of(Algorithm algorithm, const UsedStage& stage, StateFactors state_factors) {
  const bool accumulates = stage.replicas > 1 || stage.microbatches_per_update > 1;
  // Where replicas reduce while they compute, the next sum has begun.
  const bool overlaps = stage.replicas > 1 && (stage.reduce_delay > 0 || algorithm == Algorithm::two_bw);
  return {.gradient_copies = accumulates ? 1 + (overlaps ? 1 : 0) : 0,
          .gradients_replace_activations = stage.replicas == 1 && algorithm == Algorithm::gpipe,
          .optimizer_state_factor = state_factors.optimizer,
          .correction_state_factor = stage.is_late ? state_factors.corrections : 0};
}

StageCosts memory_costs(const StageFootprint& footprint, const StageUse& use) {
  const PassMemory& pass = footprint.pass;
  const std::int64_t parameters = footprint.parameter_bytes;
  StageCosts costs;
  costs.version_bytes = parameters;
  const std::int64_t copied = use.recompute ? add(pass.received, pass.data) : 0;
  costs.in_flight_bytes = use.recompute ? copied : pass.held;
  std::int64_t gradients = multiply(parameters, use.gradient_copies);
  if (use.gradients_replace_activations) gradients = std::max<std::int64_t>(gradients - costs.in_flight_bytes, 0);
  costs.most_gradient_bytes = gradients;
  costs.resident_bytes =
      add(footprint.buffer_bytes, state_bytes(parameters, use.optimizer_state_factor + use.correction_state_factor));
  // To recompute, the inputs are copied: layers may write what they receive.
  const std::int64_t forward = add(pass.forward_peak, copied);
  costs.forward_transient_bytes = forward - costs.in_flight_bytes;
  costs.backward_transient_bytes = pass.backward_peak - costs.in_flight_bytes;
  costs.update_transient_bytes = update_bytes(footprint, use);
  return costs;
}

std::int64_t memory_bytes(const StageCosts& costs, const StageLoad& load) {
  const std::int64_t held =
      add(multiply(costs.version_bytes, load.versions), multiply(costs.in_flight_bytes, load.in_flight));
  return add(add(held, costs.most_message_bytes), fixed_bytes(costs));
}

std::int64_t memory_bytes(const StageFootprint& footprint, int gradient_copies, StateFactors state_factors) {
  const StageUse use{.gradient_copies = gradient_copies, .optimizer_state_factor = state_factors.optimizer};
  return memory_bytes(memory_costs(footprint, use), {});
}

}  // namespace pipedream::detail

#include "partitioner/compat_costs.h"

#include <algorithm>
#include <cmath>

namespace pipedream::detail {
namespace {

// The least m from 2 on with (compute_us + x (m - 1) / m) / m <= bound_us, up to rounding: the greater root of
// bound m^2 - (compute + x) m + x = 0.
double greater_root(double compute_us, double x_us, double bound_us) {
  const double b = compute_us + x_us;
  const double discriminant = b * b - 4 * bound_us * x_us;
  return discriminant <= 0 ? 2 : (b + std::sqrt(discriminant)) / (2 * bound_us);
}

// The least number from 2 to `most` that is good, when all after a good one are; the guess is near.
template <class IsGood>
int least_good(double guess, int most, IsGood is_good) {
  if (!(guess < most + 2.0)) guess = most + 1.0;
  int least = std::max(2, static_cast<int>(std::ceil(guess - 1e-6)));
  while (least > 2 && is_good(least - 1)) --least;
  while (least <= most && !is_good(least)) ++least;
  return std::min(least, most + 1);
}

}  // namespace

CompatCosts::CompatCosts(const CompatGraph& graph, const Level& level, const StageTable* below,
                         std::int64_t memory_bytes)
    : PipelineCosts(graph.states), graph_(graph), level_(level), below_(below), memory_bytes_(memory_bytes) {}

double CompatCosts::reduction_us(int first, int end, int replicas) const {
  const auto bytes = static_cast<double>(states().parameter_bytes(first, end));
  return 4.0 * (replicas - 1) * bytes / (level_.bandwidth_bytes_per_us * replicas);
}

double CompatCosts::parameter_us(int first, int end) const {
  return 4.0 * static_cast<double>(states().parameter_bytes(first, end)) / level_.bandwidth_bytes_per_us;
}

double CompatCosts::transfer_us(int state, int replicas) const {
  return 2.0 * static_cast<double>(graph_.cut_bytes[static_cast<std::size_t>(state)]) /
         (level_.bandwidth_bytes_per_us * replicas);
}

double CompatCosts::first_stage_us(int first, int end, int replicas) const {
  return (component_us(first, end) + reduction_us(first, end, replicas) / level_.components_below) / replicas;
}

double CompatCosts::later_stage_us(int first, int end, int replicas) const {
  double us = (component_us(first, end) + reduction_us(first, end, replicas)) / replicas;
  us = std::max(us, transfer_us(first, replicas));
  return end < states().last() ? std::max(us, transfer_us(end, replicas)) : us;
}

std::int64_t CompatCosts::batches_that_fit(int first, int end) const {
  const auto bytes_of = [&](int state) { return graph_.activation_bytes[static_cast<std::size_t>(state)]; };
  const std::int64_t each = bytes_of(end) - bytes_of(first) + states().parameter_bytes(first, end);
  return each == 0 ? std::numeric_limits<std::int64_t>::max() : memory_bytes_ / each;
}

bool CompatCosts::fits(int first, int end, int replicas, int after) const {
  return memory_bytes_ == 0 || (after + replicas - 1) / replicas <= batches_that_fit(first, end);
}

int CompatCosts::first_replicas_needed(int first, int end, double bound_us, int most) const {
  const double compute_us = component_us(first, end);
  const auto is_good = [&](int replicas) { return first_stage_us(first, end, replicas) <= bound_us; };
  if (!is_good(most)) return most + 1;
  const double x_us = parameter_us(first, end) / level_.components_below;
  return least_good(greater_root(compute_us, x_us, bound_us), most, is_good);
}

int CompatCosts::later_replicas_needed(int first, int end, double bound_us, int most) const {
  const double compute_us = component_us(first, end);
  const auto is_good = [&](int replicas) { return later_stage_us(first, end, replicas) <= bound_us; };
  if (!is_good(most)) return most + 1;
  const double x_us = parameter_us(first, end);
  double guess = greater_root(compute_us, x_us, bound_us);
  guess = std::max(guess, transfer_us(first, 1) / bound_us);
  if (end < states().last()) guess = std::max(guess, transfer_us(end, 1) / bound_us);
  return least_good(guess, most, is_good);
}

}  // namespace pipedream::detail

#include "partitioner/compat_costs.h"

#include <algorithm>
#include <cmath>

namespace pipedream::detail {
namespace {

// Divisions take most of the time of a table's costs, and half and a quarter are exact as products.
double divided(double us, int count) {
  if (count == 2) return us * 0.5;
  if (count == 4) return us * 0.25;
  return us / count;
}

// Nothing for one replica.
double reduction_us(double parameter_us, int replicas) { return divided(parameter_us * (replicas - 1), replicas); }

// The greatest of the three before they are divided: the same double as after.
double later_us(double component_us, double parameter_us, double transfer_us, int replicas) {
  return divided(std::max(component_us + reduction_us(parameter_us, replicas), transfer_us), replicas);
}

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
    : PipelineCosts(graph.states), graph_(graph), level_(level), below_(below), memory_bytes_(memory_bytes) {
  for (const std::int64_t bytes : graph.cut_bytes) {
    transfer_us_.push_back(2.0 * static_cast<double>(bytes) / level.bandwidth_bytes_per_us);
  }
  transfer_us_.back() = 0;  // the end of the model
}

double CompatCosts::parameter_us(int first, int end) const {
  return 4.0 * static_cast<double>(states().parameter_bytes(first, end)) / level_.bandwidth_bytes_per_us;
}

double CompatCosts::first_us(double component_us, double parameter_us, int replicas) const {
  double shared_us = reduction_us(parameter_us, replicas);
  if (level_.components_below > 1) shared_us = divided(shared_us, level_.components_below);
  return divided(component_us + shared_us, replicas);
}

double CompatCosts::cuts_us(int first, int end) const {
  return std::max(transfer_us_[static_cast<std::size_t>(first)], transfer_us_[static_cast<std::size_t>(end)]);
}

double CompatCosts::first_stage_us(int first, int end, int replicas) const {
  return first_us(component_us(first, end), parameter_us(first, end), replicas);
}

double CompatCosts::later_stage_us(int first, int end, int replicas) const {
  return later_us(component_us(first, end), parameter_us(first, end), cuts_us(first, end), replicas);
}

void CompatCosts::first_stage_times(int first, int end, int most, double* us) const {
  const double compute_us = component_us(first, end);
  const double x_us = parameter_us(first, end);
  us[0] = compute_us;  // what first_us says too
  for (int replicas = 2; replicas <= most; ++replicas) us[replicas - 1] = first_us(compute_us, x_us, replicas);
}

void CompatCosts::later_stage_times(int first, int end, int most, double* us) const {
  const double compute_us = component_us(first, end);
  const double x_us = parameter_us(first, end);
  const double transfer_us = cuts_us(first, end);
  us[0] = std::max(compute_us, transfer_us);  // what later_us says too
  for (int replicas = 2; replicas <= most; ++replicas) {
    us[replicas - 1] = later_us(compute_us, x_us, transfer_us, replicas);
  }
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
  guess = std::max(guess, transfer_us_[static_cast<std::size_t>(first)] / bound_us);
  guess = std::max(guess, transfer_us_[static_cast<std::size_t>(end)] / bound_us);
  return least_good(guess, most, is_good);
}

}  // namespace pipedream::detail

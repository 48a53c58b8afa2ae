// The least bottleneck by asking for plans within a bound.
#pragma once

#include <cmath>
#include <optional>

#include "partitioner/pipeline_costs.h"

namespace pipedream::detail {

// plan_within(bound) gives an optional: some plan whose cost_us keeps the bound, or none. No bound below `lower` can be
// kept. The bound is halved, and in the end anything strictly better is asked for until there is none; bounds and costs
// are the same expressions, so the answer is exact. Empty: there is no plan at all, which is
// asked at once where it is doubtful.
template <class PlanWithin, class CostOf>
auto least_bottleneck(double lower, PlanWithin plan_within, CostOf cost_us, bool doubtful = false)
    -> decltype(plan_within(lower)) {
  constexpr int kHalvings = 12;
  auto plan = plan_within(lower);
  if (plan || (doubtful && !plan_within(kInfinity))) return plan;
  // Steps that double find an upper bound near the lower one, where a pass is cheap; past twice the lower one, any.
  double upper = lower;
  for (double step = lower * 0x1p-6; !plan; step *= 2) {
    if (upper == kInfinity) return std::nullopt;
    lower = upper;
    upper = step > 0 && step < lower ? lower + step : kInfinity;
    plan = plan_within(upper);
  }
  upper = cost_us(*plan);
  // Halve; when the two are near, ask for anything better than the best, until there is none.
  for (int halvings = 0; lower < upper; ++halvings) {
    const double below = std::nextafter(upper, 0);
    const bool finish = halvings >= kHalvings && halvings % 2 == 0;
    const double bound = finish ? below : lower + (upper - lower) / 2;
    if (bound <= lower || bound > below) break;
    if (const auto better = plan_within(bound)) {
      upper = cost_us(*better);
    } else {
      lower = bound;
    }
  }
  return plan_within(upper);
}

}  // namespace pipedream::detail

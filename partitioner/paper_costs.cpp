#include "partitioner/paper_costs.h"

#include <algorithm>
#include <cmath>

namespace pipedream::detail {
namespace {

// The least m up to `most` with compute_us / m <= bound_us, else most + 1.
int replicas_for_compute(double compute_us, double bound_us, int most) {
  if (compute_us <= bound_us) return 1;
  const double quotient = compute_us / bound_us;
  if (!(quotient < static_cast<double>(most) + 1)) return most + 1;
  int replicas = static_cast<int>(std::ceil(quotient));
  // Near a whole number the quotient may have rounded to the wrong side; these comparisons are stage_us's own.
  if (std::abs(quotient - std::round(quotient)) < 1e-6) {
    while (replicas > 1 && compute_us / (replicas - 1) <= bound_us) --replicas;
    while (compute_us / replicas > bound_us) ++replicas;
  }
  return std::min(replicas, most + 1);
}

}  // namespace

PaperCosts::PaperCosts(const PlanningStates& states, const TopologyLevel& level, const StageTable* below,
                       int workers_below)
    : PipelineCosts(states), links_(level), below_(below), workers_below_(workers_below) {
  for (int s = 0; s < states.count(); ++s) {
    link_us_.push_back(links_.transfer_us(states.cut(s).forward, states.cut(s).backward));
  }
}

double PaperCosts::stage_us(int first, int end, int replicas) const {
  return links_.stage_us(component_us(first, end), states().parameter_bytes(first, end), replicas);
}

double PaperCosts::later_stage_us(int first, int end, int replicas) const {
  return std::max(link_us(first), stage_us(first, end, replicas));
}

int PaperCosts::replicas_needed(int first, int end, double bound_us, int most) const {
  const int computing = replicas_for_compute(component_us(first, end), bound_us, most);
  if (computing > most || stage_us(first, end, computing) <= bound_us) return computing;
  // The reduction is too slow. From two replicas on its share of T(m) only rises with m in the paper's model, and only
  // falls where the rate was measured.
  if (stage_us(first, end, most) > bound_us) return most + 1;
  int too_few = computing;
  int enough = most;
  while (enough - too_few > 1) {
    const int middle = too_few + (enough - too_few) / 2;
    (stage_us(first, end, middle) <= bound_us ? enough : too_few) = middle;
  }
  return enough;
}

// m replicas of one stage or of several: C / m is the least time per microbatch, but for the rounding of sums.
int PaperCosts::components_needed(int first, int end, double bound_us, int most) const {
  const double least_us = states().compute_us(first, end) - 1e-9 * states().compute_us(states().last());
  return replicas_for_compute(std::max(least_us, 0.0) / workers_below_, bound_us, most);
}

}  // namespace pipedream::detail

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "pipedream/schedule.h"
#include "schedule/share.h"

namespace pipedream {

int channel_slots(const Plan& plan, int from_stage, int to_stage) {
  const StagePlan& earlier = detail::stage_plan(plan, std::min(from_stage, to_stage));
  const StagePlan& later = detail::stage_plan(plan, std::max(from_stage, to_stage));
  const std::int64_t cycle = std::lcm(std::int64_t{earlier.replicas()}, std::int64_t{later.replicas()});
  std::int64_t lead = 0;  // in microbatches
  if (traits_of(plan.algorithm).has_warmup) {
    const std::int64_t earlier_in_flight = (std::int64_t{earlier.warmup} + 1) * earlier.replicas();
    const std::int64_t later_in_flight = (std::int64_t{later.warmup} + 1) * later.replicas();
    lead = std::max(std::int64_t{0}, earlier_in_flight - later_in_flight);
  } else if (traits_of(plan.algorithm).shares_workers) {
    // A stage's time for each stage on the way; but no more than one group, of as many microbatches as there are
    // workers, in the time that a worker takes for all its stages.
    const int first = std::min(from_stage, to_stage);
    const int distance = std::abs(to_stage - from_stage);
    lead = 1;
    while (lead < distance && !detail::on_same_worker(plan, first, first + static_cast<int>(lead))) ++lead;
  }
  // Both ends have the slots, so each needs half of the lead; two more hide a transfer and a delay.
  return static_cast<int>(2 + detail::ceil_div(lead, 2 * cycle));
}

}  // namespace pipedream

#include "partitioner/dapple_best.h"

#include <algorithm>

namespace pipedream::detail {

void BestDapplePlans::restart() {
  best_.clear();
  keeps_all_ = false;
}

std::vector<DapplePlan> BestDapplePlans::take() {
  const auto is_better = [](const DapplePlan& plan, const DapplePlan& other) { return rank(plan) < rank(other); };
  if (keeps_all_) std::stable_sort(best_.begin(), best_.end(), is_better);
  return std::move(best_);
}

BestDapplePlans::Rank BestDapplePlans::rank(const DapplePlan& plan) {
  std::size_t used = 0;
  for (const PlacedStage& stage : plan.stages) used += stage.workers.size();
  return {plan.microbatch_us, static_cast<int>(used), plan.stages.size()};
}

double BestDapplePlans::microbatch_us(const std::vector<DappleStage>& costs, int used) const {
  // By default that of the workers in use: idle ones among them, which the plan's own would count, gain nothing.
  const std::int64_t chosen = options_.under.microbatches_per_update;
  const std::int64_t update = chosen > 0 ? chosen : std::int64_t{4} * used;
  return dapple_latency_us(costs, update) / static_cast<double>(update);
}

std::vector<DapplePlan>::iterator BestDapplePlans::place_of(const Rank& mine) {
  if (!best_.empty() && std::get<double>(mine) > best_.back().microbatch_us) return best_.end();
  return std::upper_bound(best_.begin(), best_.end(), mine,
                          [](const Rank& less, const DapplePlan& other) { return less < rank(other); });
}

}  // namespace pipedream::detail

#include "runtime/stop_vote.h"

#include <algorithm>
#include <numeric>

#include "pipedream/schedule.h"

namespace pipedream::detail {
namespace {

// More than the microbatches that any two workers can be apart in their forwards.
std::int64_t greatest_distance(const Plan& plan) {
  std::int64_t in_flight = 1;
  std::int64_t period = 1;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePlan& stage = plan.stages[s];
    const std::int64_t rounds = stage.warmup + stage.reduce_delay + 2;
    in_flight =
        std::max({in_flight, rounds * stage.replicas(), 2 * microbatches_per_update(plan, static_cast<int>(s))});
    period = std::max<std::int64_t>(period, stage.replicas());
  }
  return in_flight + period;
}

// Messages of a channel that may be posted beyond the one in use.
std::int64_t greatest_lookahead(const Plan& plan) {
  std::int64_t lookahead = 0;
  for (std::size_t a = 0; a < plan.stages.size(); ++a) {
    for (std::size_t b = a + 1; b < plan.stages.size(); ++b) {
      const int from = static_cast<int>(a);
      const int to = static_cast<int>(b);
      const std::int64_t apart = std::lcm<std::int64_t>(plan.stages[a].replicas(), plan.stages[b].replicas());
      lookahead = std::max(lookahead, (channel_slots(plan, from, to) + 1) * apart);
    }
  }
  return lookahead;
}

}  // namespace

StopVote::StopVote(const Plan& plan, ReduceGroup* group, std::int64_t microbatches, std::function<bool()> wish)
    : group_(group), wish_(std::move(wish)), microbatches_(microbatches), workers_(plan.workers()) {
  const std::int64_t distance = greatest_distance(plan);
  lead_ = distance;
  block_ = 2 * (distance + greatest_lookahead(plan));
}

std::optional<std::int64_t> StopVote::before_forward(std::int64_t microbatch) {
  if (group_ == nullptr) {
    if (microbatch + 1 >= microbatches_ || !wish_()) return std::nullopt;
    microbatches_ = microbatch + 1;
    return microbatches_;
  }
  const std::int64_t start = next_vote_ * block_;
  const std::int64_t end = start + 2 * block_;
  if (end >= microbatches_) return std::nullopt;  // the run ends by itself before the vote could end it
  if (!pending_ && microbatch >= start) {
    wishes_ = torch::full({1}, wish_() ? 1.0F : 0.0F);
    group_->post(wishes_, 0, std::vector<bool>(static_cast<std::size_t>(workers_), true));
    pending_ = true;
  }
  if (!pending_ || microbatch < start + lead_) return std::nullopt;
  group_->wait();
  pending_ = false;
  ++next_vote_;
  if (wishes_.item<float>() == 0) return std::nullopt;
  microbatches_ = end;
  return end;
}

}  // namespace pipedream::detail

#include "partitioner/message_memory.h"

#include <algorithm>
#include <numeric>

#include "pipedream/schedule.h"
#include "schedule/share.h"

namespace pipedream::detail {
namespace {

// What src/transport/mpi does: parts that are summed at one time, and messages whose memory a channel keeps.
constexpr std::int64_t kSummedBytes = std::int64_t{2} << 20;
constexpr std::int64_t kLeastKeptBytes = 1 << 16;

// Of one link, on one worker at one end of it.
std::int64_t link_message_bytes(const Plan& plan, int stage, const LinkCosts& link) {
  const bool sends_activations = link.from == stage;
  const std::int64_t replicas = stage_plan(plan, stage).replicas();
  const std::int64_t peers = stage_plan(plan, sends_activations ? link.to : link.from).replicas();
  const std::int64_t channels = peers / std::gcd(peers, replicas);
  const std::int64_t slots = channels * channel_slots(plan, link.from, link.to);
  // A stage that recomputes holds copies of what it received, and nothing of what it sent.
  const bool recomputes = stage_plan(plan, stage).recompute;
  const std::int64_t in_flight = recomputes ? 0 : stage_load(plan, stage).in_flight;
  // Messages in use are counted where they are used; but each channel keeps what it once had in use.
  const auto kept = [&](std::int64_t in_use, std::int64_t bytes) {
    return bytes < kLeastKeptBytes ? 0 : channels * ceil_div(std::max<std::int64_t>(in_use, 1), channels) - in_use;
  };
  if (!sends_activations) {
    return slots * (link.forward_bytes + link.backward_bytes) +
           kept(in_flight, link.forward_bytes) * link.forward_bytes;
  }
  // What was sent is in flight anyway, as long as it is.
  const std::int64_t sent = std::max<std::int64_t>(slots - in_flight, 0);
  return slots * link.backward_bytes + kept(1, link.backward_bytes) * link.backward_bytes + sent * link.forward_bytes;
}

}  // namespace

std::int64_t message_bytes(const Plan& plan, int stage, const MessageMemory& messages, std::int64_t parameter_bytes) {
  if (messages.one_process) return 0;
  const StagePlan& planned = stage_plan(plan, stage);
  const std::int64_t replicas = planned.replicas();
  // Without a delay nothing else is at work while replicas sum up.
  std::int64_t bytes =
      planned.reduce_delay > 0 ? std::min(parameter_bytes / replicas, kSummedBytes) * (replicas - 1) : 0;
  for (const LinkCosts& link : messages.links) {
    const bool is_at_end = link.from == stage || link.to == stage;
    if (is_at_end && !on_same_worker(plan, link.from, link.to)) bytes += link_message_bytes(plan, stage, link);
  }
  return bytes;
}

}  // namespace pipedream::detail

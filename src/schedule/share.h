// Which part of a segment falls to one worker: its places in the plan and its own microbatches.
//
// A worker hosts one stage or several. Replica q of a stage with r replicas handles microbatches q, q + r, q + 2r, ...
// of the segment; the i-th of them is its round i.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pipedream/plan.h"
#include "pipedream/schedule.h"

namespace pipedream::detail {

// A stage that a worker hosts, and which of the stage's replicas it is.
struct Place {
  int stage = 0;
  int replica = 0;
};

// In ascending order of stages; empty for an idle worker. Throws ConfigError for one that the plan does not have.
std::vector<Place> places_of(const Plan& plan, int worker);

// "worker 3 (stage 1, replica 2)", "worker 1 (stages 1, 3)", "worker 2 (idle)".
std::string worker_name(int worker, std::span<const Place> places);

// Whether two stages are on one worker. It hands tensors over from one to the other without a message.
bool on_same_worker(const Plan& plan, int stage, int other);

// Whether gradients flow back over the link.
inline bool has_gradient(const StageLink& link, const Segment& segment) {
  return segment.pass == Pass::probe || (segment.pass == Pass::train && link.gradient);
}

struct Share {
  std::int64_t replicas = 1;
  std::int64_t replica = 0;
  std::int64_t microbatches = 0;  // of the segment

  // The worker's i-th microbatch; from i = count() on beyond the segment's end.
  std::int64_t microbatch(std::int64_t i) const { return replica + i * replicas; }
  std::int64_t count() const { return first_from(microbatches); }
  // The least i >= 0 with microbatch(i) >= k.
  std::int64_t first_from(std::int64_t k) const { return k <= replica ? 0 : (k - replica + replicas - 1) / replicas; }
};

Share share_of(const Plan& plan, const Segment& segment, const Place& place);

inline const StagePlan& stage_plan(const Plan& plan, int stage) { return plan.stages[static_cast<std::size_t>(stage)]; }

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace pipedream::detail

#include "schedule/share.h"

#include <fmt/format.h>

#include "pipedream/error.h"

namespace pipedream {
namespace detail {

Place place_of(const Plan& plan, int worker) {
  for (std::size_t stage = 0; stage < plan.stages.size(); ++stage) {
    const std::vector<int>& workers = plan.stages[stage].workers;
    for (std::size_t replica = 0; replica < workers.size(); ++replica) {
      if (workers[replica] == worker) {
        return {static_cast<int>(stage), static_cast<int>(replica)};
      }
    }
  }
  throw ConfigError(fmt::format("no stage of the plan has worker {}", worker));
}

Share share_of(const Plan& plan, const Segment& segment, const Place& place) {
  return {stage_plan(plan, place.stage).replicas(), place.replica, segment.microbatches};
}

}  // namespace detail

int worker_of(const Plan& plan, int stage, std::int64_t microbatch) {
  const std::vector<int>& workers = detail::stage_plan(plan, stage).workers;
  return workers[static_cast<std::size_t>(microbatch) % workers.size()];
}

}  // namespace pipedream

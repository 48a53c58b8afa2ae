#include "schedule/share.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipedream/error.h"

namespace pipedream {
namespace detail {

std::vector<Place> places_of(const Plan& plan, int worker) {
  std::vector<Place> places;
  for (std::size_t stage = 0; stage < plan.stages.size(); ++stage) {
    const std::vector<int>& workers = plan.stages[stage].workers;
    for (std::size_t replica = 0; replica < workers.size(); ++replica) {
      if (workers[replica] == worker) {
        places.push_back({static_cast<int>(stage), static_cast<int>(replica)});
      }
    }
  }
  const std::vector<int>& idle = plan.idle_workers;
  if (places.empty() && std::find(idle.begin(), idle.end(), worker) == idle.end()) {
    throw ConfigError(fmt::format("no stage of the plan has worker {}", worker));
  }
  return places;
}

std::string worker_name(int worker, std::span<const Place> places) {
  if (places.empty()) return fmt::format("worker {} (idle)", worker);
  if (places.size() == 1) {
    return fmt::format("worker {} (stage {}, replica {})", worker, places[0].stage, places[0].replica);
  }
  std::string stages;
  for (const Place& place : places) {
    stages += fmt::format("{}{}", stages.empty() ? "" : ", ", place.stage);
  }
  return fmt::format("worker {} (stages {})", worker, stages);
}

bool on_same_worker(const Plan& plan, int stage, int other) {
  // Stages that share a worker have no other one (validate).
  return stage_plan(plan, stage).workers.front() == stage_plan(plan, other).workers.front();
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

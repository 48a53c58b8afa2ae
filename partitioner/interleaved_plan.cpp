#include "partitioner/interleaved_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "partitioner/plan_judge.h"
#include "partitioner/units.h"
#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

constexpr int kLeastStages = 2;  // of a worker
constexpr int kMostStages = 8;

// One level of workers, one for each stage, behind the slowest links that there are.
Topology one_for_each_stage(const Topology& topology, int stages) {
  double bandwidth = std::numeric_limits<double>::infinity();
  double latency = 0;
  for (const TopologyLevel& level : topology.levels) {
    if (level.count < 2) continue;
    bandwidth = std::min(bandwidth, level.bandwidth_bytes_per_s);
    latency = std::max(latency, level.latency_us);
  }
  return uniform_topology(stages, bandwidth, latency);
}

Plan dealt_out(Plan plan, int workers, const PartitionOptions& options) {
  plan.algorithm = options.algorithm;
  plan.microbatches_per_update = options.microbatches_per_update;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    plan.stages[s].workers = {static_cast<int>(s) % workers};
    plan.stages[s].warmup = 0;
  }
  return plan;
}

// Of the worker that needs most, all its stages at their greatest.
std::int64_t greatest_bytes(const Plan& plan) {
  std::int64_t most = 0;
  for (int worker = 0; worker < plan.workers(); ++worker) {
    std::int64_t bytes = 0;
    for (const int s : plan.stages_of_worker(worker)) {
      bytes += plan.stages[static_cast<std::size_t>(s)].prediction.memory_bytes;
    }
    most = std::max(most, bytes);
  }
  return most;
}

void simulate_plan(Plan& plan, const Profile& profile, const Topology& topology, StateFactors state_factors) {
  const JudgedPlan judged = simulated(plan, profile, topology, state_factors);
  plan.prediction.microbatch_us = judged.microbatch_us;
  plan.prediction.bound_by = judged.limited_by;
  plan.search.cost_model = to_string(CostModel::simulated);
  plan.search.bottleneck_us = judged.microbatch_us;
}

Plan plan_with(const Profile& profile, const Topology& topology, const PartitionOptions& options, int stages) {
  PartitionOptions straight = options;
  straight.algorithm = Algorithm::flush_1f1b;
  straight.cost_model = CostModel::pipedream;
  straight.straight = true;
  straight.use_all_workers = true;
  straight.stages_per_worker = 0;
  straight.microbatches_per_update = 0;
  const int workers = topology.workers();
  Plan plan = dealt_out(partition(profile, one_for_each_stage(topology, stages * workers), straight), workers, options);
  predict(plan, profile, topology, options.state_factors);
  if (options.cost_model == CostModel::simulated) simulate_plan(plan, profile, topology, options.state_factors);
  return plan;
}

}  // namespace

Plan interleaved_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  const int workers = topology.workers();
  const auto layers = static_cast<int>(profile.layers.size());
  const int least = options.stages_per_worker > 0 ? options.stages_per_worker : kLeastStages;
  const int most = options.stages_per_worker > 0 ? least : std::min(kMostStages, layers / workers);
  if (workers < 2)
    throw ConfigError(fmt::format("{} needs 2 workers or more, there is 1", to_string(options.algorithm)));
  if (std::int64_t{least} * workers > layers) {
    throw ConfigError(fmt::format("{} with {} stages a worker needs {} layers for {} workers, the model has {}",
                                  to_string(options.algorithm), least, std::int64_t{least} * workers, workers, layers));
  }
  std::optional<Plan> best;
  std::int64_t least_bytes = std::numeric_limits<std::int64_t>::max();
  for (int stages = least; stages <= most; ++stages) {
    Plan plan = plan_with(profile, topology, options, stages);
    const std::int64_t bytes = greatest_bytes(plan);
    least_bytes = std::min(least_bytes, bytes);
    if (topology.memory_bytes_per_worker > 0 && bytes > topology.memory_bytes_per_worker) continue;
    if (!best || plan.prediction.microbatch_us < best->prediction.microbatch_us) best = std::move(plan);
  }
  if (best) return *best;
  throw ConfigError(fmt::format("memory_bytes_per_worker: {} is too little for {}: a worker needs {}",
                                format_bytes(topology.memory_bytes_per_worker), to_string(options.algorithm),
                                format_bytes(least_bytes)));
}

}  // namespace pipedream::detail

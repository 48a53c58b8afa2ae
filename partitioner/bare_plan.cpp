#include "partitioner/bare_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "partitioner/plan_table.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

constexpr int kMostWorkers = 4096;

std::vector<int> replicas_of(const BarePlan& wanted) {
  for (const int replicas : wanted.replicas) {
    if (replicas < 1 || replicas > kMostWorkers) {
      throw ConfigError(fmt::format("--replicas {}: each from 1 to {}", fmt::join(wanted.replicas, ","), kMostWorkers));
    }
  }
  const std::int64_t sum = std::accumulate(wanted.replicas.begin(), wanted.replicas.end(), std::int64_t{0});
  const std::int64_t workers = wanted.workers != 0 ? wanted.workers : sum;
  if (workers < 1 || workers > kMostWorkers) {
    throw ConfigError(fmt::format("--workers {}: must be from 1 to {}", workers, kMostWorkers));
  }
  if (!wanted.replicas.empty() && sum != workers) {
    throw ConfigError(
        fmt::format("--replicas {} are {} workers, --workers says {}", fmt::join(wanted.replicas, ","), sum, workers));
  }
  if (!wanted.replicas.empty()) return wanted.replicas;
  if (wanted.algorithm == Algorithm::data_parallel) return {static_cast<int>(workers)};
  return std::vector<int>(static_cast<std::size_t>(workers), 1);
}

std::vector<int> warmup_of(const BarePlan& wanted, const std::vector<int>& replicas) {
  if (wanted.warmup.empty()) {
    return traits_of(wanted.algorithm).has_warmup ? default_warmup(replicas) : std::vector<int>(replicas.size(), 0);
  }
  if (wanted.warmup.size() != replicas.size()) {
    throw ConfigError(fmt::format("--warmup {}: one depth for each of the {}", fmt::join(wanted.warmup, ","),
                                  count_of(static_cast<std::int64_t>(replicas.size()), "stage")));
  }
  return wanted.warmup;
}

}  // namespace

Plan make_bare_plan(const BarePlan& wanted) {
  const std::vector<int> replicas = replicas_of(wanted);
  const std::vector<int> warmup = warmup_of(wanted, replicas);
  Plan plan;
  plan.algorithm = wanted.algorithm;
  plan.microbatches_per_update = wanted.microbatches_per_update;
  int worker = 0;
  for (std::size_t s = 0; s < replicas.size(); ++s) {
    StagePlan& stage = plan.stages.emplace_back();
    stage.layers = {fmt::format("stage{}", s)};
    stage.workers.resize(static_cast<std::size_t>(replicas[s]));
    std::iota(stage.workers.begin(), stage.workers.end(), worker);
    worker += replicas[s];
    stage.warmup = warmup[s];
  }
  validate(plan);
  return plan;
}

}  // namespace pipedream

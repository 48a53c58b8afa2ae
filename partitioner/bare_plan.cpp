#include "partitioner/bare_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "partitioner/plan_table.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

constexpr int kMost = 4096;  // workers and stages

void check_replicas(const BarePlan& wanted) {
  const std::string text = fmt::format("--replicas {}", fmt::join(wanted.replicas, ","));
  for (const int replicas : wanted.replicas) {
    if (replicas < 1 || replicas > kMost) throw ConfigError(fmt::format("{}: each from 1 to {}", text, kMost));
  }
  const std::int64_t sum = std::accumulate(wanted.replicas.begin(), wanted.replicas.end(), std::int64_t{0});
  if (wanted.workers != 0 && wanted.workers != sum) {
    throw ConfigError(fmt::format("{} are {} workers, --workers says {}", text, sum, wanted.workers));
  }
  const auto stages = static_cast<int>(wanted.replicas.size());
  if (wanted.stages != 0 && wanted.stages != stages) {
    throw ConfigError(fmt::format("{} are {}, --stages says {}", text, count_of(stages, "stage"), wanted.stages));
  }
}

using WorkersOfStages = std::vector<std::vector<int>>;

WorkersOfStages one_after_the_other(const std::vector<int>& replicas) {
  WorkersOfStages stages;
  int next = 0;
  for (const int count : replicas) {
    std::vector<int>& workers = stages.emplace_back(static_cast<std::size_t>(count));
    std::iota(workers.begin(), workers.end(), next);
    next += count;
  }
  return stages;
}

WorkersOfStages in_turn(int workers, int stages) {
  if (workers < 1 || workers > kMost) {
    throw ConfigError(fmt::format("--workers {}: must be from 1 to {}", workers, kMost));
  }
  if (stages == 1) return one_after_the_other({workers});
  if (stages < workers || stages > kMost) {
    throw ConfigError(fmt::format("--stages {} on {}: must be 1, or from {} to {}; else --replicas tells more", stages,
                                  count_of(workers, "worker"), workers, kMost));
  }
  WorkersOfStages hosts;
  for (int s = 0; s < stages; ++s) hosts.push_back({s % workers});
  return hosts;
}

WorkersOfStages workers_of(const BarePlan& wanted) {
  if (!wanted.replicas.empty()) {
    check_replicas(wanted);
    return one_after_the_other(wanted.replicas);
  }
  const int by_default = wanted.algorithm == Algorithm::data_parallel ? 1 : wanted.workers;
  return in_turn(wanted.workers, wanted.stages != 0 ? wanted.stages : by_default);
}

}  // namespace

Plan make_bare_plan(const BarePlan& wanted) {
  Plan plan;
  plan.algorithm = wanted.algorithm;
  plan.microbatches_per_update = wanted.microbatches_per_update;
  std::vector<int> replicas;
  for (std::vector<int>& workers : workers_of(wanted)) {
    StagePlan& stage = plan.stages.emplace_back();
    stage.layers = {fmt::format("stage{}", replicas.size())};
    stage.workers = std::move(workers);
    replicas.push_back(stage.replicas());
  }
  if (traits_of(plan.algorithm).has_warmup) set_depths(plan, {.warmup = default_warmup(replicas)});
  set_depths(plan, wanted.depths);
  validate(plan);
  return plan;
}

}  // namespace pipedream

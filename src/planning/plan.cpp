#include "pipedream/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "pipedream/error.h"
#include "planning/warmup.h"

namespace pipedream {

int Plan::workers() const {
  int greatest = -1;
  for (const StagePlan& stage : stages) {
    for (const int worker : stage.workers) greatest = std::max(greatest, worker);
  }
  return greatest + 1;
}

std::vector<int> Plan::stages_of_worker(int worker) const {
  std::vector<int> hosted;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const std::vector<int>& members = stages[s].workers;
    if (std::find(members.begin(), members.end(), worker) != members.end()) hosted.push_back(static_cast<int>(s));
  }
  return hosted;
}

std::vector<int> workers_without_stage(const Plan& plan) {
  std::vector<char> has_stage(static_cast<std::size_t>(plan.workers()), 0);
  for (const StagePlan& stage : plan.stages) {
    for (const int worker : stage.workers) has_stage[static_cast<std::size_t>(worker)] = 1;
  }
  std::vector<int> idle;
  for (int worker = 0; worker < plan.workers(); ++worker) {
    if (!has_stage[static_cast<std::size_t>(worker)]) idle.push_back(worker);
  }
  return idle;
}

std::vector<int> default_warmup(std::span<const int> replicas) {
  std::vector<int> warmup(replicas.size(), 0);
  for (std::size_t s = 0; s < replicas.size(); ++s) {
    if (replicas[s] < 1) throw ConfigError(fmt::format("stage {} has {} replicas, at least 1 needed", s, replicas[s]));
  }
  for (std::size_t s = replicas.size(); s-- > 1;) {
    warmup[s - 1] = detail::default_stage_warmup(replicas[s - 1], replicas[s], warmup[s]);
  }
  return warmup;
}

void clear_predictions(Plan& plan) {
  plan.prediction = {};
  for (StagePlan& stage : plan.stages) stage.prediction = {};
}

Plan with_algorithm(const Plan& plan, Algorithm algorithm) {
  if (plan.algorithm == algorithm) return plan;
  const AlgorithmTraits before = traits_of(plan.algorithm);
  const AlgorithmTraits traits = traits_of(algorithm);
  Plan other = plan;
  other.algorithm = algorithm;
  clear_predictions(other);
  if (!traits.chooses_update) other.microbatches_per_update = 0;
  std::vector<int> replicas;
  for (const StagePlan& stage : plan.stages) replicas.push_back(stage.replicas());
  const std::vector<int> depths = default_warmup(replicas);
  for (std::size_t s = 0; s < other.stages.size(); ++s) {
    StagePlan& stage = other.stages[s];
    if (!traits.has_warmup) {
      stage.warmup = 0;
    } else if (!before.has_warmup) {
      stage.warmup = depths[s];
    }
    if (!traits.delays_reduction) stage.reduce_delay = 0;
    if (traits.overwrites) stage.recompute = false;
  }
  validate(other);
  return other;
}

Plan single_stage_plan(std::span<const std::string> layers, int workers, Algorithm algorithm) {
  if (workers < 1) throw ConfigError(fmt::format("a plan needs at least 1 worker, not {}", workers));
  Plan plan;
  plan.algorithm = algorithm;
  StagePlan stage;
  stage.layers.assign(layers.begin(), layers.end());
  stage.workers.resize(static_cast<std::size_t>(workers));
  std::iota(stage.workers.begin(), stage.workers.end(), 0);
  plan.stages.push_back(std::move(stage));
  validate(plan);
  return plan;
}

}  // namespace pipedream

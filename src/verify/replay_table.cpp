// The tables of docs/algorithms.md: what an update covers, which weights a microbatch meets, what corrections make of
// them.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "verify/replay_stage.h"

namespace pipedream::detail {
namespace {

// The least m with r_s | m and m >= r_s w(s) for every stage.
std::int64_t least_two_bw_update(const Plan& plan) {
  for (std::int64_t m = 1;; ++m) {
    const bool fits = std::all_of(plan.stages.begin(), plan.stages.end(), [m](const StagePlan& stage) {
      return m % stage.replicas() == 0 && m >= std::int64_t{stage.replicas()} * stage.warmup;
    });
    if (fits) return m;
  }
}

}  // namespace

std::int64_t Replay::Stage::size_of_update(const Plan& of) const {
  switch (of.algorithm) {
    case Algorithm::model_parallel:
      return 1;
    case Algorithm::data_parallel:
      return of.microbatches_per_update > 0 ? of.microbatches_per_update : plan.replicas();
    case Algorithm::gpipe:
    case Algorithm::flush_1f1b:
    case Algorithm::interleaved_1f1b:
      return of.microbatches_per_update > 0 ? of.microbatches_per_update : std::int64_t{4} * of.workers();
    case Algorithm::pipedream:
    case Algorithm::vertical_sync:
      return plan.replicas();
    case Algorithm::pipemare:
    case Algorithm::naive_asynchronous:
      return of.microbatches_per_update > 0 ? of.microbatches_per_update : plan.replicas();
    case Algorithm::two_bw:
      return of.microbatches_per_update > 0 ? of.microbatches_per_update : least_two_bw_update(of);
  }
  throw std::logic_error("unknown algorithm");
}

// The version table: which weights forward and backward of microbatch k (of the segment) use.
std::int64_t Replay::version(const Stage& stage, std::int64_t k) const {
  switch (plan_.algorithm) {
    case Algorithm::model_parallel:
      return stage.base + k;
    case Algorithm::data_parallel:
    case Algorithm::gpipe:
    case Algorithm::flush_1f1b:
    case Algorithm::interleaved_1f1b:
      return stage.base + k / stage.update_size;
    case Algorithm::pipedream: {
      const std::int64_t round = k / stage.plan.replicas();
      return stage.base + std::max<std::int64_t>(0, round - stage.plan.warmup - stage.plan.reduce_delay);
    }
    case Algorithm::vertical_sync: {
      const StagePlan& first = plan_.stages.front();
      const std::int64_t rounds = k / first.replicas() - first.warmup - first.reduce_delay;
      return stage.base + first.replicas() * std::max<std::int64_t>(0, rounds) / stage.plan.replicas();
    }
    case Algorithm::two_bw:
      return stage.base + std::max<std::int64_t>(0, k / stage.update_size - 1);
    case Algorithm::pipemare:
    case Algorithm::naive_asynchronous: {
      const std::int64_t rounds = k / stage.plan.replicas() - stage.plan.warmup;
      return stage.base + stage.plan.replicas() * std::max<std::int64_t>(0, rounds) / stage.update_size;
    }
  }
  throw std::logic_error("unknown algorithm");
}

std::int64_t Replay::version_to_use(const Stage& stage, std::int64_t k) const {
  const std::int64_t right = version(stage, k);
  const auto newest = static_cast<std::int64_t>(stage.versions.size()) - 1;
  if (right > newest) throw std::logic_error("the version table names a version that does not exist yet");
  if (&stage != stages_[static_cast<std::size_t>(options_.mutated_stage)].get()) return right;
  if (options_.mutation == Mutation::newer_version) return std::min(right + 1, newest);
  if (options_.mutation == Mutation::older_version) return std::max<std::int64_t>(right - 1, 0);
  return right;
}

bool Replay::is_on_one_copy() const {
  return plan_.algorithm == Algorithm::pipemare || plan_.algorithm == Algorithm::naive_asynchronous;
}

// tau, in updates.
double Replay::delay(const Stage& stage) const {
  return static_cast<double>(stage.plan.warmup * stage.plan.replicas()) / static_cast<double>(stage.update_size);
}

bool Replay::corrects(const Stage& stage) const {
  const bool mutated = &stage == stages_[static_cast<std::size_t>(options_.mutated_stage)].get();
  if (mutated && options_.mutation == Mutation::no_correction) return false;
  return plan_.algorithm == Algorithm::pipemare && delay(stage) > 0;
}

Tensors Replay::forward_weights(const Stage& stage, std::int64_t k) const {
  const auto version = static_cast<std::size_t>(version_to_use(stage, k));
  Tensors weights = clones(stage.versions.at(version));
  // The update before it must belong to the correction's time.
  const bool known = static_cast<std::int64_t>(stage.versions.size() - version) <= stage.updates_observed;
  if (!options_.corrections.spectrain || !corrects(stage) || !known) return weights;
  for (std::size_t p = 0; p < weights.size(); ++p) {
    weights[p] += (stage.versions[version][p] - stage.versions[version - 1][p]) * delay(stage);
  }
  return weights;
}

Tensors Replay::backward_weights(const Stage& stage) const {
  Tensors weights = clones(stage.versions.back());
  if (!options_.corrections.t2 || !corrects(stage) || stage.delta.empty()) return weights;
  for (std::size_t p = 0; p < weights.size(); ++p) weights[p] -= stage.delta[p] * delay(stage);
  return weights;
}

}  // namespace pipedream::detail

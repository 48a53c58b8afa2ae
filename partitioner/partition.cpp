#include "pipedream/partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "partitioner/cost_model.h"
#include "partitioner/memory_model.h"
#include "partitioner/search.h"
#include "partitioner/sequence.h"
#include "partitioner/units.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

using detail::FoundStage;

void check(const PartitionOptions& options) {
  if (!std::isfinite(options.optimizer_state_factor) || options.optimizer_state_factor < 0) {
    throw ConfigError(fmt::format("optimizer_state_factor: must be finite and not negative, found {}",
                                  options.optimizer_state_factor));
  }
  if (options.algorithm == Algorithm::data_parallel && options.straight) {
    throw ConfigError("straight: data-parallel is one stage with replicas; a straight plan has none");
  }
  if (traits_of(options.algorithm).shares_workers) {
    throw ConfigError(fmt::format("algorithm: the planner gives each worker one stage; {} plans are written by hand",
                                  to_string(options.algorithm)));
  }
}

// Default depths; without a flush replicas of one stage among several are at different phases, so that waiting for each
// other's gradients costs throughput: their reduction may take one round longer. The replicas of an only stage run in
// step and gain nothing from it.
Plan make_plan(const Profile& profile, const PartitionOptions& options, const std::vector<FoundStage>& found) {
  Plan plan;
  plan.graph_hash = profile.graph_hash;
  plan.algorithm = options.algorithm;
  plan.microbatches_per_update = options.microbatches_per_update;
  const AlgorithmTraits traits = traits_of(options.algorithm);
  const bool has_warmup = traits.has_warmup && found.size() > 1;
  std::vector<int> replicas;
  int worker = 0;
  for (const FoundStage& range : found) {
    StagePlan stage;
    for (int l = range.first; l < range.end; ++l) {
      stage.layers.push_back(profile.layers[static_cast<std::size_t>(l)].name);
    }
    for (int q = 0; q < range.replicas; ++q) stage.workers.push_back(worker++);
    stage.reduce_delay = traits.delays_reduction && found.size() > 1 && range.replicas > 1 ? 1 : 0;
    replicas.push_back(range.replicas);
    plan.stages.push_back(std::move(stage));
  }
  if (has_warmup) {
    const std::vector<int> warmup = default_warmup(replicas);
    for (std::size_t s = 0; s < warmup.size(); ++s) plan.stages[s].warmup = warmup[s];
  }
  return plan;
}

std::string layers_of(const StagePlan& stage) {
  return stage.layers.size() == 1 ? fmt::format("layer \"{}\"", stage.layers.front())
                                  : fmt::format("layers \"{}\" to \"{}\"", stage.layers.front(), stage.layers.back());
}

// The stage that asks for most.
std::string greatest_need(const Plan& plan) {
  const auto by_memory = [](const StagePlan& a, const StagePlan& b) {
    return a.prediction.memory_bytes < b.prediction.memory_bytes;
  };
  const auto greatest = std::max_element(plan.stages.begin(), plan.stages.end(), by_memory);
  return fmt::format("stage {} ({}, warmup {}) needs {}", greatest - plan.stages.begin(), layers_of(*greatest),
                     greatest->warmup, detail::format_bytes(greatest->prediction.memory_bytes));
}

// To come below the memory limit.
constexpr int kAttempts = 8;

class Planner {
 public:
  Planner(const Profile& profile, const Topology& topology, const PartitionOptions& options)
      : profile_(profile),
        topology_(topology),
        options_(options),
        costs_(profile, topology),
        footprints_(profile),
        limit_bytes_(topology.memory_bytes_per_worker) {}

  // The search does not count messages, and counts what pipedream holds, which is less than what gpipe keeps in flight:
  // where its plan needs more than the limit, it looks for one that needs so much less.
  Plan plan() const {
    std::int64_t limit_bytes = limit_bytes_;
    std::optional<Plan> nearest;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const auto found = solve(limit_bytes);
      if (!found) break;
      nearest = predicted(*found);
      const std::int64_t excess = greatest_bytes(*nearest) - limit_bytes_;
      if (limit_bytes_ == 0 || excess <= 0) return *nearest;
      limit_bytes -= excess;
      if (limit_bytes <= 0) break;
    }
    if (!nearest) fail();
    demand_fit(*nearest);
    return *nearest;
  }

 private:
  std::optional<std::vector<FoundStage>> solve(std::int64_t limit_bytes) const {
    const detail::SearchOptions search{topology_.workers(), options_.straight, options_.use_all_workers};
    const double factor = options_.optimizer_state_factor;
    switch (options_.algorithm) {
      case Algorithm::model_parallel:
        return detail::cheapest_sequence(costs_, footprints_, limit_bytes, factor, search);
      case Algorithm::data_parallel:
        return solve_data_parallel(limit_bytes);
      case Algorithm::gpipe:
      case Algorithm::flush_1f1b:
      case Algorithm::interleaved_1f1b:
      case Algorithm::pipedream:
      case Algorithm::vertical_sync:
      case Algorithm::two_bw:
      case Algorithm::pipemare:
      case Algorithm::naive_asynchronous:
        break;
    }
    const detail::MemoryLimit memory{footprints_, limit_bytes, factor};
    return detail::fastest_pipeline(costs_, limit_bytes > 0 ? &memory : nullptr, search);
  }

  std::optional<std::vector<FoundStage>> solve_data_parallel(std::int64_t limit_bytes) const {
    const auto whole = footprints_.row(0).back();
    const std::int64_t bytes =
        detail::memory_bytes(whole, topology_.workers() > 1 ? 1 : 0, options_.optimizer_state_factor);
    if (limit_bytes > 0 && bytes > limit_bytes) return std::nullopt;
    return std::vector<FoundStage>{{0, costs_.layers(), topology_.workers()}};
  }

  Plan predicted(const std::vector<FoundStage>& found) const {
    Plan plan = make_plan(profile_, options_, found);
    predict(plan, profile_, topology_, options_.optimizer_state_factor);
    return plan;
  }

  static std::int64_t greatest_bytes(const Plan& plan) {
    std::int64_t most = 0;
    for (const StagePlan& stage : plan.stages) most = std::max(most, stage.prediction.memory_bytes);
    return most;
  }

  void demand_fit(const Plan& plan) const {
    for (const StagePlan& stage : plan.stages) {
      if (limit_bytes_ == 0 || stage.prediction.memory_bytes <= limit_bytes_) continue;
      throw ConfigError(
          fmt::format("memory_bytes_per_worker: {} is too little for {} with {} microbatches in an update: {}; fewer "
                      "of them need less",
                      detail::format_bytes(limit_bytes_), to_string(plan.algorithm), microbatches_per_update(plan, 0),
                      greatest_need(plan)));
    }
  }

  [[noreturn]] void fail() const {
    const auto unlimited = solve(0);
    if (!unlimited) {
      throw ConfigError(fmt::format("no {}{} plan uses all {} workers: the model has {} layer(s)",
                                    options_.straight ? "straight " : "", to_string(options_.algorithm),
                                    topology_.workers(), costs_.layers()));
    }
    const std::string limit = detail::format_bytes(limit_bytes_);
    for (int l = 0; l < costs_.layers(); ++l) {
      const std::int64_t bytes = detail::memory_bytes(footprints_.row(l).front(), 0, options_.optimizer_state_factor);
      if (bytes > limit_bytes_) {
        throw ConfigError(fmt::format("memory_bytes_per_worker: {} is too little: layer \"{}\" alone needs {}", limit,
                                      profile_.layers[static_cast<std::size_t>(l)].name, detail::format_bytes(bytes)));
      }
    }
    throw ConfigError(
        fmt::format("memory_bytes_per_worker: {} is too little for any {} plan on {} worker(s); in the "
                    "best one without the limit {}",
                    limit, to_string(options_.algorithm), topology_.workers(), greatest_need(predicted(*unlimited))));
  }

  const Profile& profile_;
  const Topology& topology_;
  const PartitionOptions& options_;
  detail::PaperCosts costs_;
  detail::RangeFootprints footprints_;
  std::int64_t limit_bytes_;
};

}  // namespace

Plan partition(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  validate(profile);
  check(options);
  Plan plan = Planner(profile, topology, options).plan();
  validate(plan);
  return plan;
}

}  // namespace pipedream

#include "pipedream/partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "partitioner/default_plan.h"
#include "partitioner/footprints.h"
#include "partitioner/interleaved_plan.h"
#include "partitioner/memory_limited.h"
#include "partitioner/own_rules.h"
#include "partitioner/paper_planner.h"
#include "partitioner/partition_options.h"
#include "partitioner/placement.h"
#include "partitioner/predict.h"
#include "partitioner/sequence.h"
#include "partitioner/simulated_planner.h"
#include "partitioner/stage_memory.h"
#include "partitioner/units.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

using detail::FoundStage;
using FoundPlan = std::optional<detail::FoundPipeline>;

std::string layers_of(const StagePlan& stage) {
  return stage.layers.size() == 1 ? fmt::format("layer \"{}\"", stage.layers.front())
                                  : fmt::format("layers \"{}\" to \"{}\"", stage.layers.front(), stage.layers.back());
}

// The stage that asks for most.
const StagePlan& greatest_stage(const Plan& plan) {
  const auto by_memory = [](const StagePlan& a, const StagePlan& b) {
    return a.prediction.memory_bytes < b.prediction.memory_bytes;
  };
  return *std::max_element(plan.stages.begin(), plan.stages.end(), by_memory);
}

std::string greatest_need(const Plan& plan) {
  const StagePlan& greatest = greatest_stage(plan);
  return fmt::format("stage {} ({}, warmup {}) needs {}", &greatest - plan.stages.data(), layers_of(greatest),
                     greatest.warmup, detail::format_bytes(greatest.prediction.memory_bytes));
}

// To come below the memory limit.
constexpr int kAttempts = 8;

// The paper's model, within the memory that the algorithm needs.
class Planner {
 public:
  Planner(const Profile& profile, const Topology& topology, const PartitionOptions& options, bool gives_advice = true)
      : profile_(profile),
        topology_(topology),
        levels_(detail::levels_with_choice(topology)),
        options_(options),
        states_(detail::all_states(profile)),
        limit_bytes_(topology.memory_bytes_per_worker),
        gives_advice_(gives_advice) {}

  // The search does not count messages, and on several levels not all that an update has: where its plan needs more
  // than the limit, it looks for one that needs so much less.
  Plan plan() {
    std::int64_t limit_bytes = limit_bytes_;
    std::optional<Plan> nearest;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const FoundPlan found = solve(limit_bytes);
      if (!found) break;
      nearest = searched(*found);
      const std::int64_t excess = greatest_stage(*nearest).prediction.memory_bytes - limit_bytes_;
      if (limit_bytes_ == 0 || excess <= 0) return *nearest;
      limit_bytes -= excess;
      if (limit_bytes <= 0) break;
    }
    if (nearest) fail_near(*nearest);
    fail();
  }

 private:
  bool is_pipeline() const {
    return options_.algorithm != Algorithm::model_parallel && options_.algorithm != Algorithm::data_parallel;
  }

  FoundPlan solve(std::int64_t limit_bytes) {
    switch (options_.algorithm) {
      case Algorithm::model_parallel:
        return solve_sequence(limit_bytes);
      case Algorithm::data_parallel:
        return solve_data_parallel(limit_bytes);
      default:
        return solve_pipeline(limit_bytes);
    }
  }

  FoundPlan solve_sequence(std::int64_t limit_bytes) const {
    detail::StageFootprints footprints(profile_);
    auto stages = detail::cheapest_sequence(states_, footprints, levels_,
                                            {options_.use_all_workers, limit_bytes, options_.state_factors});
    if (!stages) return std::nullopt;
    return detail::FoundPipeline{std::move(*stages), 0};
  }

  FoundPlan solve_pipeline(std::int64_t limit_bytes) {
    const detail::PaperOptions search{options_.straight, options_.use_all_workers};
    if (limit_bytes == 0) return detail::PaperPlanner(states_, levels_, search).fastest(nullptr);
    if (!memory_) memory_.emplace(profile_, states_, options_.state_factors);
    memory_->set_limit(limit_bytes);
    return detail::fastest_within_memory(states_, levels_, search, *memory_, options_.algorithm,
                                         options_.microbatches_per_update);
  }

  FoundPlan solve_data_parallel(std::int64_t limit_bytes) const {
    const auto whole = detail::StageFootprints(profile_).of(states_, 0, states_.last());
    const detail::UsedStage used{.replicas = topology_.workers(),
                                 .microbatches_per_update = options_.microbatches_per_update};
    const auto use = detail::use_of(Algorithm::data_parallel, used, options_.state_factors);
    const std::int64_t bytes = detail::memory_bytes(detail::memory_costs(whole, use), {});
    if (limit_bytes > 0 && bytes > limit_bytes) return std::nullopt;
    std::vector<FoundStage> stages;
    for (const TopologyLevel& level : levels_.levels) stages = {{0, states_.last(), level.count, std::move(stages)}};
    return detail::FoundPipeline{std::move(stages), 0};
  }

  Plan predicted(const std::vector<FoundStage>& found) const {
    Plan plan = detail::default_plan(profile_, states_, {options_.algorithm, options_.microbatches_per_update},
                                     placed(found, levels_));
    detail::predict(plan, profile_, topology_, options_.state_factors, states_);
    return plan;
  }

  Plan searched(const detail::FoundPipeline& found) const {
    Plan plan = predicted(found.stages);
    plan.search = {std::string(to_string(options_.cost_model)), found.bottleneck_us, states_.count(),
                   states_.contraction()};
    if (!is_pipeline()) plan.search.bottleneck_us = plan.prediction.microbatch_us;
    return plan;
  }

  [[noreturn]] void fail_near(const Plan& plan) const {
    const bool is_chosen = traits_of(plan.algorithm).chooses_update;
    const std::string update =
        is_chosen ? fmt::format(" with {} microbatches in an update", microbatches_per_update(plan, 0)) : "";
    const std::int64_t fewer = fewer_with_room(plan);
    throw ConfigError(fmt::format("memory_bytes_per_worker: {} is too little for {}{}: {}{}",
                                  detail::format_bytes(limit_bytes_), to_string(plan.algorithm), update,
                                  greatest_need(plan), fewer > 0 ? fmt::format("; with {} there is room", fewer) : ""));
  }

  // The most microbatches in an update for which the plan has room, if there is a plan with so many; else 0. Only where
  // an update is flushed those in flight become fewer with it.
  std::int64_t fewer_with_room(const Plan& plan) const {
    if (!is_pipeline() || !traits_of(plan.algorithm).flushes || !gives_advice_) return 0;
    std::int64_t room = 0;
    for (std::int64_t most = microbatches_per_update(plan, 0); most - room > 1;) {
      const std::int64_t middle = room + (most - room) / 2;
      (has_room(plan, middle) ? room : most) = middle;
    }
    if (room == 0) return 0;
    PartitionOptions options = options_;
    options.microbatches_per_update = room;
    try {
      Planner(profile_, topology_, options, false).plan();
    } catch (const ConfigError&) {
      return 0;
    }
    return room;
  }

  bool has_room(Plan plan, std::int64_t microbatches_per_update) const {
    plan.microbatches_per_update = microbatches_per_update;
    detail::predict(plan, profile_, topology_, options_.state_factors, states_);
    return greatest_stage(plan).prediction.memory_bytes <= limit_bytes_;
  }

  [[noreturn]] void fail() {
    const FoundPlan unlimited = solve(0);
    const std::size_t layers = profile_.layers.size();
    if (!unlimited) {
      throw ConfigError(fmt::format("no {}{} plan uses all {} workers: the model has {} layer(s)",
                                    options_.straight ? "straight " : "", to_string(options_.algorithm),
                                    topology_.workers(), layers));
    }
    const std::string limit = detail::format_bytes(limit_bytes_);
    detail::StageFootprints footprints(profile_);
    for (std::size_t l = 0; l < layers; ++l) {
      const auto footprint = footprints.of_layer(static_cast<int>(l));
      const std::int64_t bytes = detail::memory_bytes(footprint, 0, options_.state_factors);
      if (bytes > limit_bytes_) {
        throw ConfigError(fmt::format("memory_bytes_per_worker: {} is too little: layer \"{}\" alone needs {}", limit,
                                      profile_.layers[l].name, detail::format_bytes(bytes)));
      }
    }
    throw ConfigError(fmt::format(
        "memory_bytes_per_worker: {} is too little for any {} plan on {} worker(s); in the best one "
        "without the limit {}",
        limit, to_string(options_.algorithm), topology_.workers(), greatest_need(predicted(unlimited->stages))));
  }

  const Profile& profile_;
  const Topology& topology_;
  const Topology levels_;  // those that have a choice
  const PartitionOptions& options_;
  detail::PlanningStates states_;
  std::optional<detail::StageMemory> memory_;  // once it is needed
  std::int64_t limit_bytes_;
  bool gives_advice_;
};

}  // namespace

Plan partition(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  validate(profile);
  validate(topology);
  detail::check_options(options);
  const auto planned = [&] {
    if (traits_of(options.algorithm).shares_workers) return detail::interleaved_plan(profile, topology, options);
    if (options.cost_model == CostModel::simulated) return detail::simulated_plan(profile, topology, options);
    if (options.cost_model == CostModel::pipedream) return Planner(profile, topology, options).plan();
    return detail::plan_by_own_rules(profile, topology, options);
  };
  Plan plan = planned();
  plan.placement = detail::servers_of(topology, plan.workers());
  validate(plan);
  return plan;
}

}  // namespace pipedream

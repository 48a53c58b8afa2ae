#include "pipedream/depths.h"

#include <catch2/catch.hpp>

#include "pipedream/partition.h"
#include "pipedream/simulate.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

constexpr double kStageUs = 3000;

// One layer a stage; each stage handles a microbatch in kStageUs. 1000 bytes between stages, 100 kept by each.
Profile balanced_profile(const std::vector<int>& replicas) {
  Profile profile = chain_profile(static_cast<int>(replicas.size()), 1000);
  for (std::size_t s = 0; s < replicas.size(); ++s) {
    profile.layers[s].forward_us = replicas[s] * kStageUs / 3;
    profile.layers[s].backward_us = replicas[s] * kStageUs * 2 / 3;
    profile.layers[s].parameter_bytes = 10'000;
    profile.layers[s].kept_bytes = 100;
  }
  return profile;
}

Plan plan_of(const Profile& profile, const std::vector<int>& replicas, Algorithm algorithm = Algorithm::pipedream) {
  Plan plan;
  plan.algorithm = algorithm;
  const auto warmup = default_warmup(replicas);
  int worker = 0;
  for (std::size_t s = 0; s < replicas.size(); ++s) {
    StagePlan& stage = plan.stages.emplace_back();
    stage.layers = {profile.layers[s].name};
    for (int q = 0; q < replicas[s]; ++q) stage.workers.push_back(worker++);
    stage.warmup = warmup[s];
  }
  return plan;
}

// A message takes `transfer` of a stage's time.
Topology links(const Plan& plan, double transfer) {
  return uniform_topology(plan.workers(), transfer > 0 ? 1e9 / (transfer * kStageUs) : 1e15);
}

std::vector<int> warmup_of(const Plan& plan) {
  std::vector<int> warmup;
  for (const StagePlan& stage : plan.stages) warmup.push_back(stage.warmup);
  return warmup;
}

double simulated_us(const Plan& plan, const Profile& profile, const Topology& topology) {
  const Segment segment = steady_segment(plan);
  return simulate(make_program(plan, stage_links(plan, profile), segment), plan, segment,
                  simulation_costs(plan, profile, topology))
      .microbatch_us;
}

}  // namespace

TEST_CASE("without transfers the least depths stay") {
  const std::vector<int> replicas(4, 1);
  const Profile profile = balanced_profile(replicas);
  Plan plan = plan_of(profile, replicas);
  for (StagePlan& stage : plan.stages) stage.warmup *= 3;
  const auto steps = choose_depths(plan, profile, links(plan, 0));
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].what == "least depths");
  CHECK(warmup_of(plan) == std::vector<int>{3, 2, 1, 0});
  CHECK(plan.prediction.microbatch_us == Approx(kStageUs));
  CHECK(plan.prediction.bound_by.starts_with("compute of stage"));
}

TEST_CASE("slack hides transfers, and no less of it would") {
  const std::vector<int> replicas(4, 1);
  const Profile profile = balanced_profile(replicas);
  for (const double transfer : {0.1, 1 / 3.0}) {
    Plan plan = plan_of(profile, replicas);
    const Topology topology = links(plan, transfer);
    const auto steps = choose_depths(plan, profile, topology);
    INFO("transfers of " << transfer);
    REQUIRE(steps.size() >= 2);
    CHECK(steps.front().microbatch_us == Approx(kStageUs * (1 + 1.5 * transfer)).epsilon(0.01));
    CHECK(steps.back().microbatch_us <= 1.01 * kStageUs);
    CHECK(steps.back().memory_bytes > steps.front().memory_bytes);
    CHECK(steps.back().warmup == warmup_of(plan));
    CHECK(simulated_us(plan, profile, topology) == Approx(steps.back().microbatch_us));
    // What is in flight must cover the round trip: (4 - s) stage times and 2 (3 - s) transfers.
    for (int s = 0; s < 3; ++s) {
      CHECK(plan.stages[static_cast<std::size_t>(s)].warmup + 1 >= (4 - s + 2 * (3 - s) * transfer) / 1.01);
      Plan less = plan;
      --less.stages[static_cast<std::size_t>(s)].warmup;
      CHECK(simulated_us(less, profile, topology) > 1.01 * kStageUs);
    }
  }
}

TEST_CASE("stages that mostly wait need less than the least depths") {
  Profile profile = balanced_profile({1, 1, 1});
  for (std::size_t l = 1; l < 3; ++l) {
    profile.layers[l].forward_us /= 10;
    profile.layers[l].backward_us /= 10;
  }
  Plan plan = plan_of(profile, {1, 1, 1});
  const auto steps = choose_depths(plan, profile, links(plan, 0));
  // 1.2 stage times there and back.
  CHECK(warmup_of(plan) == std::vector<int>{1, 0, 0});
  CHECK(steps.back().what == "without what gained nothing");
  CHECK(steps.back().microbatch_us == Approx(kStageUs).epsilon(0.01));
}

TEST_CASE("a search that may not take long still thins the slack of many stages") {
  const std::vector<int> replicas(32, 1);
  Profile profile = balanced_profile(replicas);
  profile.layers[31].forward_us *= 1.3;
  profile.layers[31].backward_us *= 1.3;
  Plan plan = plan_of(profile, replicas);
  // A simulation has about 150,000 actions.
  const auto steps = choose_depths(plan, profile, links(plan, 0.2), {.most_actions = 1'500'000});
  REQUIRE(steps.size() == 3);
  CHECK(steps[1].warmup[0] == 62);
  CHECK(steps[2].warmup[0] < 50);
  CHECK(steps[2].microbatch_us <= 1.01 * 1.3 * kStageUs);
  CHECK(steps[2].memory_bytes < 0.85 * static_cast<double>(steps[1].memory_bytes));
}

TEST_CASE("reductions are delayed where replicas would wait for them") {
  const std::vector<int> replicas = {4, 3, 1};
  const Profile profile = balanced_profile(replicas);
  Plan plan = plan_of(profile, replicas);
  const auto steps = choose_depths(plan, profile, links(plan, 0));
  CHECK(steps.front().reduce_delay == std::vector<int>{0, 0, 0});
  CHECK(steps.front().microbatch_us > 1.1 * kStageUs);
  CHECK(steps.front().limited_by != steps.back().limited_by);
  REQUIRE(steps.size() >= 2);
  CHECK(steps[1].what == "reductions one round later");
  CHECK(plan.stages[2].reduce_delay == 0);
  CHECK(plan.stages[0].reduce_delay == 1);
  CHECK(steps.back().microbatch_us <= 1.01 * kStageUs);
}

TEST_CASE("memory limits depth: the fastest that fits") {
  const std::vector<int> replicas(4, 1);
  const Profile profile = balanced_profile(replicas);
  Plan plan = plan_of(profile, replicas);
  Topology topology = links(plan, 1 / 3.0);
  const auto unlimited = choose_depths(plan, profile, topology);
  topology.memory_bytes_per_worker = (unlimited.front().memory_bytes + unlimited.back().memory_bytes) / 2;
  const auto steps = choose_depths(plan, profile, topology);
  CHECK(steps.back().memory_bytes <= topology.memory_bytes_per_worker);
  CHECK(steps.back().microbatch_us > 1.01 * unlimited.back().microbatch_us);
  CHECK(steps.back().microbatch_us < 0.99 * unlimited.front().microbatch_us);
  for (const StagePlan& stage : plan.stages) {
    CHECK(stage.prediction.memory_bytes > 0);
    CHECK(stage.prediction.memory_bytes <= topology.memory_bytes_per_worker);
  }
  // Less than the least depths where not even those fit.
  topology.memory_bytes_per_worker = unlimited.front().memory_bytes - 1;
  choose_depths(plan, profile, topology);
  CHECK(plan.stages[0].warmup < 3);
  topology.memory_bytes_per_worker = 1000;
  CHECK_THAT(config_error([&] { choose_depths(plan, profile, topology); }), Contains("no depths are small enough"));
}

TEST_CASE("every algorithm with depths gets valid ones, the others are refused") {
  for (const std::vector<int>& replicas : {std::vector<int>{1, 1, 1}, {2, 3, 1}, {1, 2, 2}}) {
    for (const Algorithm algorithm : all_algorithms()) {
      if (!traits_of(algorithm).has_warmup) continue;
      Plan plan = plan_of(balanced_profile(replicas), replicas, algorithm);
      const Profile profile = balanced_profile(replicas);
      const Topology topology = links(plan, 0.2);
      const double before_us = simulated_us(plan, profile, topology);
      INFO(to_json(plan));
      choose_depths(plan, profile, topology);
      INFO(to_json(plan));
      CHECK_NOTHROW(validate(plan));
      CHECK(simulated_us(plan, profile, topology) <= 1.011 * before_us);
    }
  }
  Plan plan = plan_of(balanced_profile({1, 1}), {1, 1}, Algorithm::gpipe);
  plan.stages[0].warmup = 0;
  CHECK_THAT(config_error([&] {
               choose_depths(plan, balanced_profile({1, 1}), links(plan, 0));
             }),
             Contains("gpipe has no depths to choose"));
}

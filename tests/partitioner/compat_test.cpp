#include <catch2/catch.hpp>
#include <functional>

#include "oracle.h"
#include "pipedream/error.h"
#include "pipedream/partition.h"
#include "planning/artifact_profiles.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

constexpr auto kCompat = CostModel::pipedream_compat;

std::optional<Plan> try_partition(const Profile& profile, const Topology& topology, bool straight) {
  try {
    return partition(profile, topology, {.cost_model = kCompat, .straight = straight});
  } catch (const ConfigError& error) {
    CHECK_THAT(error.what(), Contains("pipedream-compat has no"));
    return std::nullopt;
  }
}

Topology levels(const std::vector<int>& counts, const std::vector<double>& bandwidths) {
  Topology topology;
  for (std::size_t l = 0; l < counts.size(); ++l) topology.levels.push_back({"level", counts[l], bandwidths[l], 0, 0});
  return topology;
}

void compare(std::uint64_t seed, int cases, const std::function<std::vector<int>(std::mt19937_64&)>& counts) {
  std::mt19937_64 random(seed);
  int feasible = 0;
  int limited = 0;
  int replicated = 0;
  for (int i = 0; i < cases; ++i) {
    Profile profile = random_profile(random, 1 + static_cast<int>(random() % 6), random() % 2 == 0);
    profile.layers.back().forward_us += 1;  // a loss for nothing only joins the ends of a graph
    Topology topology = random_topology(random, counts(random));
    const bool straight = random() % 4 == 0;
    if (random() % 2 == 0) topology.memory_bytes_per_worker = 1 + static_cast<std::int64_t>(random() % 400);
    INFO("case " << i << ", straight " << straight << "\n" << to_json(profile) << to_json(topology));
    const auto expected = best_compat_us(profile, topology, straight);
    const auto plan = try_partition(profile, topology, straight);
    REQUIRE(plan.has_value() == expected.has_value());
    if (!plan) continue;
    REQUIRE(plan->search.bottleneck_us == Approx(*expected).epsilon(1e-12));
    REQUIRE(plan->workers() == topology.workers());
    REQUIRE(plan->idle_workers.empty());
    ++feasible;
    limited += topology.memory_bytes_per_worker > 0;
    for (const StagePlan& stage : plan->stages) replicated += stage.replicas() > 1;
  }
  CHECK(feasible > cases / 4);
  CHECK(feasible < cases);
  CHECK(limited > cases / 20);
  CHECK(replicated > cases / 20);
}

}  // namespace

TEST_CASE("compat: the planner finds what enumeration finds on one level") {
  compare(11, 10'000, [](std::mt19937_64& random) { return std::vector<int>{1 + static_cast<int>(random() % 6)}; });
}

TEST_CASE("compat: the planner finds what enumeration finds on several levels") {
  compare(12, 10'000, [](std::mt19937_64& random) {
    std::vector<int> counts{1 + static_cast<int>(random() % 3), 1 + static_cast<int>(random() % 3)};
    if (random() % 5 == 0) counts.push_back(2);
    return counts;
  });
}

TEST_CASE("compat: many components are searched for, few tabulated, with the same answer") {
  std::mt19937_64 random(13);
  for (int i = 0; i < 300; ++i) {
    Profile profile = random_profile(random, 1 + static_cast<int>(random() % 5), random() % 2 == 0);
    Topology topology = random_topology(random, {33 + static_cast<int>(random() % 4)});
    if (random() % 2 == 0) topology.memory_bytes_per_worker = 1 + static_cast<std::int64_t>(random() % 2000);
    INFO("case " << i << "\n" << to_json(profile) << to_json(topology));
    const auto expected = best_compat_us(profile, topology, false);
    const auto plan = try_partition(profile, topology, false);
    REQUIRE(plan.has_value() == expected.has_value());
    if (plan) REQUIRE(plan->search.bottleneck_us == Approx(*expected).epsilon(1e-12));
  }
}

TEST_CASE("compat: the figures of the released optimizer") {
  struct Row {
    std::string model;
    std::vector<int> counts;
    std::vector<double> bandwidths;
    double seconds;
  };
  const std::vector<Row> rows = {
      {"vgg16", {4}, {1e10}, 0.1701790624},
      {"vgg16", {4, 4}, {1e10, 1.25e9}, 0.06713399693333331},
      {"vgg16", {16}, {1.25e9}, 0.05479489083076921},
      {"resnet50", {4}, {1e10}, 0.11149699999999993},
      {"resnet50", {4, 4}, {1e10, 1.25e9}, 0.04320846919999999},
      {"resnet50", {16}, {1.25e9}, 0.043847790044444425},
      {"gnmt", {4}, {1e10}, 0.025868000000000002},
      {"gnmt", {4, 4}, {1e10, 1.25e9}, 0.011080999999999994},
  };
  for (const Row& row : rows) {
    const auto profile = artifact_profile(row.model);
    if (!profile) continue;
    const Plan plan = partition(*profile, levels(row.counts, row.bandwidths), {.cost_model = kCompat});
    INFO(row.model << " on " << plan.workers() << " workers");
    CHECK(plan.search.bottleneck_us * 1e-6 == Approx(row.seconds).epsilon(1e-9));
  }
  const auto gnmt = artifact_profile("gnmt");
  if (gnmt) CHECK(partition(*gnmt, levels({4}, {1e10}), {.cost_model = kCompat}).search.states == 99 + 1);
}

TEST_CASE("compat: a layer that cannot be reached, an algorithm without a choice") {
  // Two chains that only the joining layer brings together.
  Profile profile;
  for (const char* name : {"a", "b", "loss"}) profile.layers.push_back({.name = name});
  profile.layers[0].forward_us = 1;
  profile.tensors = {{"ta", "a", {"loss"}, 1, true}, {"tb", "b", {"loss"}, 1, true}};
  CHECK_THAT(config_error([&] { partition(profile, small_topology(2), {.cost_model = kCompat}); }),
             Contains("starts with layer \"a\" and cannot reach layer \"b\""));
  PartitionOptions options{.algorithm = Algorithm::data_parallel, .cost_model = kCompat};
  CHECK_THAT(config_error([&] { partition(chain_profile(), small_topology(2), options); }),
             Contains("data-parallel has but one best plan"));
}

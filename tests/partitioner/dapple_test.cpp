#include <catch2/catch.hpp>

#include "dapple_oracle.h"
#include "partitioner/closed_forms.h"
#include "partitioner/dapple_costs.h"
#include "partitioner/dapple_devices.h"
#include "partitioner/dapple_planner.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;
using detail::DappleStage;

namespace {

Topology levels_of(const std::vector<int>& counts) {
  Topology topology;
  for (const int count : counts) topology.levels.push_back({"level", count, 1e6, 0, 0});
  return topology;
}

struct DappleCase {
  Profile profile;
  Topology topology;
  PartitionOptions options;
};

DappleCase random_case(std::mt19937_64& random, int layers, const std::vector<int>& counts) {
  DappleCase one{random_profile(random, layers, random() % 2 == 0), random_topology(random, counts), {}};
  one.options.cost_model = CostModel::dapple;
  one.options.algorithm = random() % 2 == 0 ? Algorithm::flush_1f1b : Algorithm::gpipe;
  // With Adam's, the planner counts an update under GPipe on top of more activations than the oracle does.
  one.options.state_factors = static_cast<double>(random() % 4) / 2;
  if (random() % 2 == 0) one.options.microbatches_per_update = 1 + static_cast<int>(random() % 20);
  one.options.straight = random() % 4 == 0;
  one.options.use_all_workers = random() % 4 == 0;
  return one;
}

DappleCase random_case_of_two_levels(std::mt19937_64& random) {
  const std::vector<std::vector<int>> shapes{{2, 2}, {2, 2}, {2, 3}, {3, 2}, {1, 4}, {4, 1}};
  return random_case(random, 1 + static_cast<int>(random() % 4), shapes[random() % shapes.size()]);
}

std::string to_text(const DappleCase& one) { return to_json(one.profile) + to_json(one.topology); }

std::vector<detail::DapplePlan> found_plans(const DappleCase& one, detail::DappleOptions options) {
  options.under = {one.options.algorithm, one.options.microbatches_per_update};
  options.straight = one.options.straight;
  options.use_all = one.options.use_all_workers;
  options.most = 3;
  return detail::dapple_plans(one.profile, detail::all_states(one.profile), one.topology, options);
}

bool same(double us, double other) { return us == Approx(other).epsilon(1e-9).margin(1e-9); }

// The best plans are the oracle's, in order.
void compare_best(const std::vector<detail::DapplePlan>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == std::min<std::size_t>(3, expected.size()));
  for (std::size_t f = 0; f < found.size(); ++f) REQUIRE(same(found[f].microbatch_us, expected[f]));
}

}  // namespace

TEST_CASE("dapple: the latency is that of the paper's formulas") {
  // Three equal stages, nothing between them: the pivot is the last; 3 F, 3 more of F + B, 3 B.
  CHECK(detail::dapple_latency_us(std::vector<DappleStage>(3, {1, 2, 0}), 4) == 3 * 1 + 3 * 3 + 3 * 2);
  // The first stage is the pivot; the last one's reduction has 6 us more than its own begins early: 2 + 3.
  const std::vector<DappleStage> first{{2, 3, 0}, {1, 1, 7}};
  CHECK(detail::dapple_latency_us(first, 10) == 2 + 9 * 5 + 3);
  std::mt19937_64 random(1);
  for (int i = 0; i < 5'000; ++i) {
    std::vector<DappleStage> stages;
    const int count = 1 + static_cast<int>(random() % 7);
    for (int s = 0; s < count; ++s) {
      stages.push_back(
          {static_cast<double>(random() % 9), static_cast<double>(random() % 9), static_cast<double>(random() % 30)});
    }
    const std::int64_t update = 1 + static_cast<std::int64_t>(random() % 9);
    REQUIRE(detail::dapple_latency_us(stages, update) == dapple_formulas_us(stages, update));
  }
}

TEST_CASE("dapple: what each policy takes of servers of four") {
  const Topology topology = levels_of({4, 3});
  const detail::DevicePolicies policies(topology, false);
  const auto choices = [&](const detail::DevicesInUse& before, int need) { return policies.choices(before, need); };
  using All = std::vector<detail::DevicesInUse>;
  // Append first, fresh first, scatter first.
  CHECK(choices({1, 0, 0}, 2) == All{{3, 0, 0}, {1, 2, 0}});
  CHECK(choices({1, 2, 0}, 3) == All{{4, 2, 0}, {1, 2, 3}, {3, 3, 0}});
  CHECK(choices({0, 0, 0}, 5) == All{{4, 1, 0}, {2, 2, 1}});
  CHECK(choices({3, 3, 0}, 4) == All{{4, 4, 2}, {3, 3, 4}});
  CHECK(choices({0, 0, 0}, 12) == All{{4, 4, 4}});
  CHECK(detail::DevicePolicies(topology, true).choices({1, 2, 0}, 3) == All{{4, 2, 0}});
  CHECK(policies.taken({1, 0, 0}, {3, 2, 1}) == std::vector<int>{1, 2, 4, 5, 8});
}

TEST_CASE("dapple: replicas of neighbouring stages are in the same racks and servers in turn") {
  const Topology topology = levels_of({2, 2, 2});
  CHECK(detail::taking_turns({0, 1, 2, 3, 4, 5, 6, 7}, topology) == std::vector<int>{0, 4, 2, 6, 1, 5, 3, 7});
  CHECK(detail::taking_turns({1, 2, 3, 5}, topology) == std::vector<int>{1, 5, 2, 3});
  const Profile profile = chain_profile();
  const detail::DappleCosts costs(profile, detail::all_states(profile), topology);
  // Two in each of two servers, then one in each: no microbatch leaves its server.
  CHECK(costs.levels_between({0, 4}, {1, 5}) == 0b001);
  CHECK(costs.levels_between({0, 4, 1, 5}, {2, 6}) == 0b010);
  CHECK(costs.levels_between({0, 1, 4, 5}, {2, 6}) == 0b110);
  CHECK(costs.levels_between({0}, {4}) == 0b100);
  CHECK(costs.levels_within({0, 1, 4}) == 0b101);
  CHECK(costs.levels_within({3}) == 0);
}

TEST_CASE("dapple: of few plans on one level the best are found, best first") {
  std::mt19937_64 random(2);
  int several = 0;
  int unreduced = 0;
  for (int i = 0; i < 4'000; ++i) {
    const DappleCase one =
        random_case(random, 1 + static_cast<int>(random() % 5), {1 + static_cast<int>(random() % 4)});
    DappleOracle oracle(one.profile, one.topology, one.options);
    const auto expected = oracle.all();
    const auto found = found_plans(one, {});
    INFO("case " << i << "\n" << to_text(one));
    compare_best(found, expected);
    for (const auto& plan : found) several += plan.stages.size() > 1;
    unreduced += !expected.empty() && !same(oracle.least_unreduced_us(), expected.front());
  }
  CHECK(several > 2'000);
  CHECK(unreduced > 500);
}

TEST_CASE("dapple: of few plans on two levels the best are found, whatever policies they take") {
  std::mt19937_64 random(5);
  int not_append_first = 0;
  int unreduced = 0;
  for (int i = 0; i < 4'000; ++i) {
    const DappleCase one = random_case_of_two_levels(random);
    DappleOracle oracle(one.profile, one.topology, one.options);
    const auto expected = oracle.all();
    INFO("case " << i << "\n" << to_text(one));
    compare_best(found_plans(one, {}), expected);
    if (expected.empty()) continue;
    not_append_first += !same(oracle.least_append_first_us(), expected.front());
    unreduced += !same(oracle.least_unreduced_us(), expected.front());
  }
  // The cases tell a planner of one policy, or without reductions, from this one.
  CHECK(not_append_first > 100);
  CHECK(unreduced > 500);
}

TEST_CASE("dapple: of few plans the best that fits into memory is found") {
  std::mt19937_64 random(6);
  int feasible = 0;
  int bound = 0;
  for (int i = 0; i < 4'000; ++i) {
    DappleCase one = random() % 2 == 0 ? random_case_of_two_levels(random)
                                       : random_case(random, 1 + static_cast<int>(random() % 4),
                                                     {1 + static_cast<int>(random() % 4)});
    const auto unlimited = found_plans(one, {});
    one.topology.memory_bytes_per_worker = 1 + static_cast<std::int64_t>(random() % 900);
    const auto expected = DappleOracle(one.profile, one.topology, one.options).all();
    const auto found =
        detail::closed_form_plans(one.profile, detail::all_states(one.profile), one.topology, one.options, 1);
    INFO("case " << i << "\n" << to_text(one));
    REQUIRE(found.empty() == expected.empty());
    if (found.empty()) continue;
    REQUIRE(same(found.front().microbatch_us, expected.front()));
    ++feasible;
    bound += !same(found.front().microbatch_us, unlimited.front().microbatch_us);
  }
  CHECK(feasible > 1'000);
  CHECK(feasible < 3'900);
  CHECK(bound > 100);
}

TEST_CASE("dapple: the recurrence is near the best, and its plans are what they say") {
  std::mt19937_64 random(3);
  int best = 0;
  int cases = 0;
  for (int i = 0; i < 1'000; ++i) {
    DappleCase one = i % 2 == 0
                         ? random_case(random, 2 + static_cast<int>(random() % 4), {2 + static_cast<int>(random() % 3)})
                         : random_case_of_two_levels(random);
    one.options.straight = false;
    one.options.use_all_workers = true;
    const auto expected = DappleOracle(one.profile, one.topology, one.options).all();
    const auto found = found_plans(one, {.few = 0});
    REQUIRE_FALSE(found.empty());
    const double us = found.front().microbatch_us;
    // One of the plans that there are, and never worse than data parallelism.
    CHECK(std::any_of(expected.begin(), expected.end(), [&](double other) { return same(us, other); }));
    ++cases;
    best += us <= expected.front() * (1 + 1e-9) + 1e-9;
  }
  CHECK(best > cases * 9 / 10);
}

TEST_CASE("dapple: its plans are valid, on several levels too, and fit into memory") {
  std::mt19937_64 random(4);
  int feasible = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Profile profile = random_profile(random, 1 + static_cast<int>(random() % 6), random() % 2 == 0);
    Topology topology = random_topology(random, {2, 1 + static_cast<int>(random() % 4)});
    if (random() % 2 == 0) topology.memory_bytes_per_worker = 1 + static_cast<std::int64_t>(random() % 900);
    PartitionOptions options;
    options.algorithm = random() % 2 == 0 ? Algorithm::flush_1f1b : Algorithm::gpipe;
    options.cost_model = CostModel::dapple;
    options.straight = random() % 3 == 0;
    Plan plan;
    try {
      plan = partition(profile, topology, options);
    } catch (const ConfigError&) {
      REQUIRE(topology.memory_bytes_per_worker > 0);
      continue;
    }
    ++feasible;
    Plan copy = plan;
    CHECK_NOTHROW(predict(copy, profile, topology));  // every layer in exactly one stage, workers once each
    for (const StagePlan& stage : plan.stages) {
      CHECK_FALSE(stage.layers.empty());
      const std::int64_t limit = topology.memory_bytes_per_worker;
      if (limit > 0) CHECK(stage.prediction.memory_bytes <= limit);
    }
    CHECK(plan.search.cost_model == "dapple");
  }
  CHECK(feasible > 500);
}

#include "pipedream/partition.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "oracle.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

// Every layer once and in order, no empty stage, workers 0..W-1 once each, what the planner says it chose.
void check_plan(const Plan& plan, const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  std::vector<std::string> layers;
  std::set<int> workers;
  for (const StagePlan& stage : plan.stages) {
    CHECK_FALSE(stage.layers.empty());
    layers.insert(layers.end(), stage.layers.begin(), stage.layers.end());
    for (const int worker : stage.workers) CHECK(workers.insert(worker).second);
    if (options.straight) CHECK(stage.replicas() == 1);
    if (topology.memory_bytes_per_worker > 0) {
      CHECK(stage.prediction.memory_bytes <= topology.memory_bytes_per_worker);
    }
  }
  REQUIRE(layers.size() == profile.layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) CHECK(layers[i] == profile.layers[i].name);
  CHECK(*workers.begin() == 0);
  CHECK(*workers.rbegin() == plan.workers() - 1);
  CHECK(plan.workers() <= topology.workers());
  if (options.use_all_workers) CHECK(plan.workers() == topology.workers());
  CHECK_NOTHROW(validate(plan));
}

// The planner's answer, or none where it says that there is none.
std::optional<Plan> try_partition(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  try {
    return partition(profile, topology, options);
  } catch (const ConfigError&) {
    return std::nullopt;
  }
}

// Counts how the cases came out, so that a test of impossible or trivial cases alone would be noticed.
struct Tally {
  int feasible = 0;
  int infeasible = 0;
  int replicated = 0;
  int several_stages = 0;
};

void compare_with_oracle(std::mt19937_64& random, Algorithm algorithm, int cases, Tally& tally) {
  for (int i = 0; i < cases; ++i) {
    const auto coin = [&] { return random() % 2 == 0; };
    const Profile profile = random_profile(random, 1 + static_cast<int>(random() % 6), coin());
    Topology topology = small_topology(1 + static_cast<int>(random() % 5));
    if (coin()) topology.levels[0].latency_us = static_cast<double>(random() % 8);
    if (random() % 3 == 0) topology.levels[0].allreduce_bytes_per_s = 1e6 * static_cast<double>(1 + random() % 4);
    if (coin()) topology.memory_bytes_per_worker = 1 + static_cast<std::int64_t>(random() % 900);
    PartitionOptions options;
    options.algorithm = algorithm;
    options.straight = random() % 3 == 0;
    options.use_all_workers = random() % 3 == 0;
    options.optimizer_state_factor = static_cast<double>(random() % 5) / 2;
    const auto expected = best_plan(profile, topology, options);
    const auto plan = try_partition(profile, topology, options);
    INFO("case " << i << "\n" << to_json(profile) << to_json(topology));
    REQUIRE(plan.has_value() == expected.has_value());
    if (!plan) {
      ++tally.infeasible;
      continue;
    }
    check_plan(*plan, profile, topology, options);
    REQUIRE(plan->prediction.microbatch_us == expected->cost_us);
    REQUIRE(plan->workers() == expected->workers());
    REQUIRE(plan->stages.size() == expected->ends.size());
    ++tally.feasible;
    tally.several_stages += plan->stages.size() > 1;
    for (const StagePlan& stage : plan->stages) tally.replicated += stage.replicas() > 1;
  }
}

}  // namespace

TEST_CASE("pipedream: the planner finds what enumeration finds") {
  std::mt19937_64 random(1);
  Tally tally;
  compare_with_oracle(random, Algorithm::pipedream, 10'000, tally);
  CHECK(tally.feasible > 5'000);
  CHECK(tally.infeasible > 500);
  CHECK(tally.replicated > 1'000);
  CHECK(tally.several_stages > 2'000);
}

TEST_CASE("model_parallel: the planner finds what enumeration finds") {
  std::mt19937_64 random(2);
  Tally tally;
  compare_with_oracle(random, Algorithm::model_parallel, 3'000, tally);
  CHECK(tally.feasible > 1'000);
  CHECK(tally.infeasible > 100);
  CHECK(tally.several_stages > 300);
  CHECK(tally.replicated == 0);
}

TEST_CASE("the prediction of a stage's memory agrees with a walk over its layers and tensors") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 500; ++i) {
    const Profile profile = random_profile(random, 6, false);
    const Plan plan = partition(profile, small_topology(4));
    int first = 0;
    for (const StagePlan& stage : plan.stages) {
      const int end = first + static_cast<int>(stage.layers.size());
      const int copies = stage.replicas() > 1 ? 1 + stage.reduce_delay : 0;
      CHECK(stage.prediction.memory_bytes == stage_bytes(profile, first, end, stage.warmup, copies, 1));
      first = end;
    }
  }
}

TEST_CASE("larger models: the planner finds the optimum of the paper's recurrence") {
  std::mt19937_64 random(4);
  for (int i = 0; i < 60; ++i) {
    const int layers = 10 + static_cast<int>(random() % 20);
    const int workers = 2 + static_cast<int>(random() % 12);
    const Profile profile = random_profile(random, layers, true);
    const auto cut = [&](int s) {
      const TensorProfile& tensor = profile.tensors[static_cast<std::size_t>(s) - 1];
      return static_cast<double>(tensor.bytes * (tensor.requires_gradient ? 2 : 1));
    };
    const auto stage = [&](int s, int j, int m) {
      double compute = 0;
      double parameters = 0;
      for (int l = s; l < j; ++l) {
        const LayerProfile& layer = profile.layers[static_cast<std::size_t>(l)];
        compute += layer.forward_us + layer.backward_us;
        parameters += static_cast<double>(layer.parameter_bytes);
      }
      return std::max(compute, 2 * (m - 1) * parameters) / m;
    };
    // best[j][m]: A(j, m) over the first j layers with at most m workers.
    std::vector<std::vector<double>> best(static_cast<std::size_t>(layers) + 1,
                                          std::vector<double>(static_cast<std::size_t>(workers) + 1, 1e300));
    for (auto& value : best[0]) value = 0;
    for (int j = 1; j <= layers; ++j) {
      for (int m = 1; m <= workers; ++m) {
        double& value = best[static_cast<std::size_t>(j)][static_cast<std::size_t>(m)];
        for (int s = 0; s < j; ++s) {
          for (int r = 1; r <= m; ++r) {
            const double before = best[static_cast<std::size_t>(s)][static_cast<std::size_t>(m - r)];
            value = std::min(value, std::max({before, s > 0 ? cut(s) : 0.0, stage(s, j, r)}));
          }
        }
      }
    }
    const Plan plan = partition(profile, small_topology(workers));
    CHECK(plan.prediction.microbatch_us == best.back().back());
  }
}

TEST_CASE("the same question has the same answer") {
  std::mt19937_64 random(5);
  const Profile profile = random_profile(random, 30, false);
  const Plan once = partition(profile, small_topology(7));
  CHECK(to_json(once) == to_json(partition(profile, small_topology(7))));
}

TEST_CASE("the planner's depths and delays") {
  // Two heavy layers with a light last one: 2-1 or 3-1 and the like.
  Profile profile = chain_profile(3, 0);
  for (LayerProfile& layer : profile.layers) layer.parameter_bytes = 0;
  profile.layers[0].forward_us = 300;
  profile.layers[0].backward_us = 600;
  profile.layers[1].parameter_bytes = 1'000'000;
  const Plan plan = partition(profile, small_topology(4));
  REQUIRE(plan.stages.size() == 2);
  CHECK(plan.stages[0].replicas() == 3);
  CHECK(plan.stages[0].reduce_delay == 1);
  CHECK(plan.stages[0].warmup == 1);
  CHECK(plan.stages[1].warmup == 0);
  CHECK(plan.stages[1].reduce_delay == 0);
  CHECK(plan.graph_hash == profile.graph_hash);
  CHECK(plan.prediction.bound_by == "compute of stage 0");

  // Replicas of an only stage run in step.
  Profile alone = chain_profile(2, 1'000'000);
  for (LayerProfile& layer : alone.layers) layer.parameter_bytes = 0;
  const Plan single = partition(alone, small_topology(3));
  REQUIRE(single.stages.size() == 1);
  CHECK(single.stages[0].replicas() == 3);
  CHECK(single.stages[0].reduce_delay == 0);
  CHECK(single.stages[0].warmup == 0);
}

TEST_CASE("data_parallel is one stage on all workers") {
  PartitionOptions options;
  options.algorithm = Algorithm::data_parallel;
  options.microbatches_per_update = 6;
  const Plan plan = partition(chain_profile(4), small_topology(3), options);
  REQUIRE(plan.stages.size() == 1);
  CHECK(plan.stages[0].replicas() == 3);
  CHECK(plan.microbatches_per_update == 6);
  CHECK(plan.algorithm == Algorithm::data_parallel);
}

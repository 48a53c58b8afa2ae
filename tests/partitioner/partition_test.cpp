#include "pipedream/partition.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "oracle.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

const PartitionOptions kPaper{.cost_model = CostModel::pipedream};

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
  CHECK(layers.size() == profile.layers.size());
  CHECK(plan.workers() <= topology.workers());
  CHECK(workers.size() + plan.idle_workers.size() == static_cast<std::size_t>(plan.workers()));
  if (options.use_all_workers) CHECK(workers.size() == static_cast<std::size_t>(topology.workers()));
  CHECK_NOTHROW(validate(plan));
  // Every layer once, none before what it uses.
  Plan copy = plan;
  CHECK_NOTHROW(predict(copy, profile, topology, options.state_factors));
  CHECK(to_json(copy) == to_json(plan));
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

struct RandomCase {
  Profile profile;
  Topology topology;
  PartitionOptions options;
};

RandomCase random_case(std::mt19937_64& random, Algorithm algorithm, int most_layers, const std::vector<int>& counts) {
  const auto coin = [&] { return random() % 2 == 0; };
  const int layers = 1 + static_cast<int>(random() % static_cast<std::uint64_t>(most_layers));
  RandomCase result{random_profile(random, layers, coin()), random_topology(random, counts), {}};
  if (coin()) result.topology.memory_bytes_per_worker = 1 + static_cast<std::int64_t>(random() % 900);
  result.options.algorithm = algorithm;
  result.options.cost_model = CostModel::pipedream;
  result.options.straight = random() % 3 == 0;
  result.options.use_all_workers = random() % 3 == 0;
  result.options.state_factors = static_cast<double>(random() % 5) / 2;
  return result;
}

void compare_with_oracle(const RandomCase& one, Tally& tally) {
  const auto expected = best_plan(one.profile, one.topology, one.options);
  const auto plan = try_partition(one.profile, one.topology, one.options);
  INFO(to_string(one.options.algorithm) << (one.options.straight ? ", straight" : "")
                                        << (one.options.use_all_workers ? ", all" : "") << ", factor "
                                        << one.options.state_factors.optimizer << "\n"
                                        << to_json(one.profile) << to_json(one.topology));
  REQUIRE(plan.has_value() == expected.has_value());
  if (!plan) {
    ++tally.infeasible;
    return;
  }
  check_plan(*plan, one.profile, one.topology, one.options);
  REQUIRE(plan->search.bottleneck_us == plan->prediction.microbatch_us);
  REQUIRE(plan->prediction.microbatch_us == expected->cost_us);
  if (one.topology.levels.size() == 1) {
    REQUIRE(plan->workers() == expected->workers());
    REQUIRE(plan->stages.size() == expected->stages.size());
  }
  ++tally.feasible;
  tally.several_stages += plan->stages.size() > 1;
  for (const StagePlan& stage : plan->stages) tally.replicated += stage.replicas() > 1;
}

std::vector<std::string> names_of(const Profile& profile) {
  std::vector<std::string> names;
  for (const LayerProfile& layer : profile.layers) names.push_back(layer.name);
  return names;
}

// For algorithms whose prediction is no bottleneck.
void compare_bottleneck(const RandomCase& one, Tally& tally) {
  const auto expected = best_plan(one.profile, one.topology, one.options);
  const auto plan = try_partition(one.profile, one.topology, one.options);
  INFO(to_string(one.options.algorithm) << (one.options.straight ? ", straight" : "")
                                        << (one.options.use_all_workers ? ", all" : "") << ", update "
                                        << one.options.microbatches_per_update << ", factor "
                                        << one.options.state_factors.optimizer << "\n"
                                        << to_json(one.profile) << to_json(one.topology));
  REQUIRE(plan.has_value() == expected.has_value());
  ++(plan ? tally.feasible : tally.infeasible);
  if (!plan) return;
  REQUIRE(plan->search.bottleneck_us == expected->cost_us);
  REQUIRE(plan->workers() == expected->workers());
  REQUIRE(plan->stages.size() == expected->stages.size());
  for (const StagePlan& stage : plan->stages) {
    REQUIRE(stage.prediction.memory_bytes <= one.topology.memory_bytes_per_worker);
  }
}

}  // namespace

TEST_CASE("pipedream: the planner finds what enumeration finds") {
  std::mt19937_64 random(1);
  Tally tally;
  for (int i = 0; i < 10'000; ++i) {
    compare_with_oracle(random_case(random, Algorithm::pipedream, 6, {1 + static_cast<int>(random() % 5)}), tally);
  }
  CHECK(tally.feasible > 5'000);
  CHECK(tally.infeasible > 500);
  CHECK(tally.replicated > 1'000);
  CHECK(tally.several_stages > 2'000);
}

TEST_CASE("several levels: the planner finds what enumeration finds") {
  std::mt19937_64 random(6);
  Tally tally;
  for (int i = 0; i < 10'000; ++i) {
    std::vector<int> counts{1 + static_cast<int>(random() % 3), 1 + static_cast<int>(random() % 3)};
    if (random() % 8 == 0) counts = {2, 2, 2};
    compare_with_oracle(random_case(random, Algorithm::pipedream, counts.size() == 3 ? 3 : 4, counts), tally);
  }
  CHECK(tally.feasible > 4'000);
  CHECK(tally.infeasible > 500);
  CHECK(tally.replicated > 1'000);
  CHECK(tally.several_stages > 2'000);
}

TEST_CASE("memory counts as the algorithm needs it") {
  std::mt19937_64 random(7);
  for (const Algorithm algorithm :
       {Algorithm::vertical_sync, Algorithm::two_bw, Algorithm::gpipe, Algorithm::flush_1f1b, Algorithm::pipemare}) {
    Tally tally;
    for (int i = 0; i < 600; ++i) {
      RandomCase one = random_case(random, algorithm, 4, {1 + static_cast<int>(random() % 4)});
      if (one.topology.memory_bytes_per_worker == 0) one.topology.memory_bytes_per_worker = 300;
      const bool is_flush = algorithm == Algorithm::gpipe || algorithm == Algorithm::flush_1f1b;
      if (is_flush && random() % 2 == 0) one.options.microbatches_per_update = 1 + static_cast<int>(random() % 8);
      compare_bottleneck(one, tally);
    }
    CHECK(tally.feasible > 100);
    CHECK(tally.infeasible > 50);
  }
}

TEST_CASE("model_parallel: the planner finds what enumeration finds") {
  std::mt19937_64 random(2);
  Tally tally;
  for (int i = 0; i < 3'000; ++i) {
    compare_with_oracle(random_case(random, Algorithm::model_parallel, 6, {1 + static_cast<int>(random() % 5)}), tally);
  }
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
    for (const StagePlan& stage : plan.stages) {
      Layers layers = 0;
      for (std::size_t l = 0; l < profile.layers.size(); ++l) {
        const auto& names = stage.layers;
        if (std::find(names.begin(), names.end(), profile.layers[l].name) != names.end()) layers |= Layers{1} << l;
      }
      const int copies = stage.replicas() > 1 ? 1 + stage.reduce_delay : 0;
      const OracleLoad load{stage.warmup + 1, stage.warmup + 1, copies, false};
      CHECK(stage.prediction.memory_bytes == stage_bytes(profile, layers, load, 1));
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
    const Plan plan = partition(profile, small_topology(workers), kPaper);
    CHECK(plan.prediction.microbatch_us == best.back().back());
  }
}

TEST_CASE("the best straight plan of a prediction is the one that a straight search finds") {
  std::mt19937_64 random(8);
  for (int i = 0; i < 2'000; ++i) {
    const Profile profile = random_profile(random, 1 + static_cast<int>(random() % 9), random() % 2 == 0);
    const auto count = [&] { return 1 + static_cast<int>(random() % 3); };
    // More than 64 workers are not tabulated.
    Topology topology = random_topology(random, {count(), count(), count()});
    if (i % 4 == 0) topology.levels.push_back({"wide", 65, 1e6, 0, 0});
    const Plan straight = partition(profile, topology, {.cost_model = CostModel::pipedream, .straight = true});
    const Plan everything = single_stage_plan(names_of(profile), topology.workers(), Algorithm::pipedream);
    Plan predicted = everything;
    predict(predicted, profile, topology);
    INFO("case " << i << "\n" << to_json(profile) << to_json(topology));
    REQUIRE(predicted.prediction.best_straight_us == straight.search.bottleneck_us);
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
  const Plan plan = partition(profile, small_topology(4), kPaper);
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
  const Plan single = partition(alone, small_topology(3), kPaper);
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

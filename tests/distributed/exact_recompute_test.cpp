// Stages that keep only their inputs and repeat the forward: the oracle keeps everything, and every bit must agree,
// with layers that draw and layers that keep statistics.
#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

ExactnessCase recomputed(TestModel model, Algorithm algorithm, const std::vector<int>& replicas) {
  Plan plan = even_plan(model.graph, algorithm, replicas);
  for (StagePlan& stage : plan.stages) stage.recompute = true;
  return {.model = std::move(model), .plan = std::move(plan), .segments = {10, 7}};
}

}  // namespace

TEST_CASE("recomputation changes no bit", "[recompute]") {
  for (const Algorithm algorithm : all_algorithms()) {
    if (traits_of(algorithm).overwrites || traits_of(algorithm).shares_workers) continue;
    const bool one_stage = algorithm == Algorithm::data_parallel;
    const bool straight = algorithm == Algorithm::model_parallel;
    for (const std::vector<int>& replicas : {std::vector<int>{1, 1, 1}, {2, 1}, {1, 2}, {2}}) {
      if (one_stage != (replicas.size() == 1)) continue;
      if (straight && replicas.size() != 3) continue;
      for (const TestModel& model : model_families(kRows)) {
        ExactnessCase example = recomputed(model, algorithm, replicas);
        CHECK(check_in_threads(example) == "");
      }
      ExactnessCase example = recomputed(conv_model(kRows), algorithm, replicas);
      for (const OptimizerSpec& optimizer :
           {sgd({.learning_rate = 0.05, .momentum = 0.9}), adam({.learning_rate = 0.01})}) {
        example.optimizer = optimizer;
        CHECK(check_in_threads(example) == "");
      }
    }
  }
}

TEST_CASE("some stages recompute, others do not", "[recompute]") {
  for (const int recomputing : {0, 1, 2}) {
    ExactnessCase example = recomputed(skip_model(kRows), Algorithm::pipedream, {1, 1, 1});
    for (int s = 0; s < 3; ++s) example.plan.stages[static_cast<std::size_t>(s)].recompute = s == recomputing;
    CHECK(check_in_threads(example) == "");
  }
}

TEST_CASE("random models recompute", "[recompute][random]") {
  for (std::uint64_t seed = 300; seed < 312; ++seed) {
    ExactnessCase example = recomputed(random_model(seed, kRows), Algorithm::pipedream, {1, 1});
    example.seed = seed;
    CHECK(check_in_threads(example) == "");
  }
}

TEST_CASE("twins of a run that recomputes differ", "[recompute][mutation]") {
  const ExactnessCase example = recomputed(conv_model(kRows), Algorithm::pipedream, {1, 1, 1});
  const auto runs = run_workers(example);
  for (const Mutation mutation : {Mutation::wrong_seed, Mutation::older_version, Mutation::no_stash_restore}) {
    CHECK(difference(example, runs, replay(example, mutation)) != "");
  }
}

TEST_CASE("recomputation is refused where the backward sees other weights", "[recompute]") {
  CHECK_THROWS_WITH(validate(recomputed(chain_model(kRows), Algorithm::pipemare, {1, 1}).plan),
                    Catch::Contains("stages[0].recompute: must be false under pipemare"));
}

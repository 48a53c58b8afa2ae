// Learning-rate schedules and clipping against the oracle, bit for bit.
#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "support/compare.h"
#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

ExactnessCase rated(TestModel model, Algorithm algorithm, const std::vector<int>& replicas) {
  Plan plan = even_plan(model.graph, algorithm, replicas);
  return {.model = std::move(model), .plan = std::move(plan), .segments = {11, 6}};
}

std::vector<LearningRateSchedule> schedules() {
  return {{.warmup_microbatches = 5},
          {.shape = RateShape::linear, .warmup_microbatches = 3, .total_microbatches = 14, .end_factor = 0.1},
          {.shape = RateShape::cosine, .total_microbatches = 17},
          {.shape = RateShape::step, .warmup_microbatches = 2, .step_microbatches = 4, .step_factor = 0.5}};
}

}  // namespace

TEST_CASE("schedules follow the microbatch, whatever an update covers", "[rate]") {
  for (const LearningRateSchedule& schedule : schedules()) {
    for (const Algorithm algorithm : {Algorithm::pipedream, Algorithm::flush_1f1b, Algorithm::two_bw}) {
      for (const std::vector<int>& replicas : {std::vector<int>{1, 1, 1}, {2, 1}}) {
        ExactnessCase example = rated(skip_model(kRows), algorithm, replicas);
        example.optimizer = sgd({.learning_rate = 0.1, .momentum = 0.9});
        example.optimizer.schedule = schedule;
        CHECK(check_in_threads(example) == "");
      }
    }
  }
}

TEST_CASE("the global norm clips what flushes, under every cut alike", "[rate]") {
  for (const TestModel& model : {conv_model(kRows), branch_model(kRows)}) {
    std::vector<NamedTensors> weights;
    for (const std::vector<int>& replicas : {std::vector<int>{1}, {1, 1}, {1, 1, 1}}) {
      ExactnessCase example = rated(model, Algorithm::flush_1f1b, replicas);
      example.plan.microbatches_per_update = 4;
      example.optimizer.clipping = {.max_norm = 0.3, .scope = ClipScope::global};
      const auto runs = run_workers(example);
      CHECK(difference(example, runs, replay(example)) == "");
      CHECK(difference(example, runs, replay(example, Mutation::no_clipping)) != "");
      weights.push_back(runs.front().weights);
      CHECK(difference(weights.back(), weights.front()) == "");
    }
  }
  for (const Algorithm algorithm : {Algorithm::model_parallel, Algorithm::gpipe}) {
    ExactnessCase example = rated(skip_model(kRows), algorithm, {1, 1});
    example.optimizer.clipping = {.max_norm = 0.3, .scope = ClipScope::global};
    CHECK(check_in_threads(example) == "");
  }
}

TEST_CASE("replicas count once", "[rate]") {
  for (const ClipScope scope : {ClipScope::global, ClipScope::stage}) {
    for (const std::vector<int>& replicas : {std::vector<int>{2, 1}, {1, 2}}) {
      ExactnessCase example = rated(conv_model(kRows), Algorithm::flush_1f1b, replicas);
      example.optimizer = adam({.learning_rate = 0.01});
      example.optimizer.clipping = {.max_norm = 0.2, .scope = scope};
      CHECK(check_in_threads(example) == "");
    }
  }
}

TEST_CASE("asynchronous stages clip by their own norm", "[rate]") {
  for (const Algorithm algorithm : {Algorithm::pipedream, Algorithm::vertical_sync, Algorithm::pipemare}) {
    ExactnessCase example = rated(conv_model(kRows), algorithm, {1, 1, 1});
    example.optimizer.clipping = {.max_norm = 0.2, .scope = ClipScope::stage};
    const auto runs = run_workers(example);
    CHECK(difference(example, runs, replay(example)) == "");
    CHECK(difference(example, runs, replay(example, Mutation::no_clipping)) != "");
    example.optimizer.clipping.scope = ClipScope::global;
    CHECK_THROWS_WITH(run_workers(example), Catch::Contains("clip by the norm of each stage"));
  }
}

TEST_CASE("a twin with another schedule differs", "[rate][mutation]") {
  ExactnessCase example = rated(skip_model(kRows), Algorithm::pipedream, {1, 1});
  example.optimizer.schedule = {.warmup_microbatches = 5};
  const auto runs = run_workers(example);
  example.optimizer.schedule.warmup_microbatches = 6;
  CHECK(difference(example, runs, replay(example)) != "");
}

// What flushes against the oracle, and the rule that the plan does not change the numbers: bit for bit.
#include <catch2/catch.hpp>

#include "support/compare.h"
#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

Plan single(const LayerGraph& graph, Algorithm algorithm, int workers, std::int64_t microbatches_per_update = 0) {
  Plan plan = single_stage_plan(graph.layer_names(), workers, algorithm);
  plan.microbatches_per_update = microbatches_per_update;
  return plan;
}

// All cuts of a model into at most so many stages.
void check_all_cuts(const TestModel& model, int most_stages, Algorithm algorithm = Algorithm::model_parallel) {
  ExactnessCase alone{.model = model, .plan = single(model.graph, algorithm, 1)};
  if (traits_of(algorithm).chooses_update) alone.plan.microbatches_per_update = 3;
  alone.segments = {4};
  const std::vector<WorkerRun> reference = run_workers(alone);
  REQUIRE(difference(alone, reference, replay(alone)) == "");
  for (int cuts = 1; cuts < most_stages; ++cuts) {
    for (const auto& cut : all_cuts(model.graph.layer_names().size(), cuts)) {
      ExactnessCase example = alone;
      example.plan = cut_plan(model.graph, algorithm, cut, std::vector<int>(cut.size() + 1, 1));
      example.plan.microbatches_per_update = alone.plan.microbatches_per_update;
      for (const WorkerRun& run : run_workers(example)) {
        INFO(describe(example));
        REQUIRE(difference(run.losses, reference.front().losses) == "");
        REQUIRE(difference(run.weights, reference.front().weights) == "");
      }
    }
  }
}

}  // namespace

TEST_CASE("model parallelism", "[synchronous]") {
  for (const TestModel& model : model_families(kRows)) {
    for (const int stages : {1, 2, 3, 5}) {
      ExactnessCase example{.model = model,
                            .plan = even_plan(model.graph, Algorithm::model_parallel,
                                              std::vector<int>(static_cast<std::size_t>(stages), 1))};
      example.segments = {6, 3};
      example.optimizer = sgd({.learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01});
      CHECK(check_in_threads(example) == "");
    }
  }
}

TEST_CASE("data parallelism", "[synchronous]") {
  for (const TestModel& model : model_families(kRows)) {
    for (const int workers : {1, 2, 3}) {
      // The default (one microbatch a worker), several a worker, and updates that leave some workers out; then ends
      // that cut an update short.
      for (const std::int64_t per_update : {std::int64_t{0}, std::int64_t{2} * workers, std::int64_t{workers} + 1}) {
        ExactnessCase example{.model = model,
                              .plan = single(model.graph, Algorithm::data_parallel, workers, per_update)};
        example.segments = {12, 5};
        CHECK(check_in_threads(example) == "");
      }
    }
  }
}

TEST_CASE("data parallelism under Adam", "[synchronous]") {
  for (const int workers : {2, 4}) {
    const TestModel model = conv_model(kRows);
    ExactnessCase example{.model = model, .plan = single(model.graph, Algorithm::data_parallel, workers)};
    example.optimizer = adamw({.learning_rate = 0.01, .weight_decay = 0.1});
    example.segments = {13};
    CHECK(check_in_threads(example) == "");
  }
}

TEST_CASE("pipelines that flush", "[synchronous]") {
  for (const Algorithm algorithm : {Algorithm::gpipe, Algorithm::flush_1f1b}) {
    for (const TestModel& model : model_families(kRows)) {
      for (const std::vector<int>& replicas : {std::vector<int>{1, 1}, {1, 1, 1}, {2, 1}, {1, 2}}) {
        // Few, and the default; the segments cut an update short.
        for (const std::int64_t per_update : {3, 0}) {
          ExactnessCase example{.model = model, .plan = even_plan(model.graph, algorithm, replicas)};
          example.plan.microbatches_per_update = per_update;
          example.segments = {13, 5};
          example.optimizer = sgd({.learning_rate = 0.05, .momentum = 0.9});
          CHECK(check_in_threads(example) == "");
        }
      }
    }
  }
}

TEST_CASE("pipelines that flush under Adam, with twice the depth", "[synchronous]") {
  const TestModel model = conv_model(kRows);
  ExactnessCase example{.model = model, .plan = even_plan(model.graph, Algorithm::flush_1f1b, {1, 1, 1, 1})};
  for (StagePlan& stage : example.plan.stages) stage.warmup *= 2;
  example.plan.microbatches_per_update = 8;
  example.optimizer = adam({.learning_rate = 0.01});
  example.segments = {24};
  CHECK(check_in_threads(example) == "");
}

TEST_CASE("twins of pipelines that flush differ", "[synchronous][mutation]") {
  for (const Algorithm algorithm : {Algorithm::gpipe, Algorithm::flush_1f1b}) {
    const TestModel model = conv_model(kRows);
    ExactnessCase example{.model = model, .plan = even_plan(model.graph, algorithm, {1, 1})};
    example.plan.microbatches_per_update = 3;
    const std::vector<WorkerRun> runs = run_workers(example);
    CHECK(difference(example, runs, replay(example)) == "");
    for (const Mutation mutation : {Mutation::older_version, Mutation::reversed_sums}) {
      CHECK(difference(example, runs, replay(example, mutation)) != "");
    }
  }
}

TEST_CASE("one worker that accumulates is data parallelism without batch norm", "[synchronous]") {
  // Two addends commute, and no layer here keeps statistics: the number of workers must not show.
  const TestModel model = skip_model(24);
  ExactnessCase alone{.model = model, .plan = single(model.graph, Algorithm::data_parallel, 1, 2)};
  alone.segments = {8};
  ExactnessCase shared = alone;
  shared.plan = single(model.graph, Algorithm::data_parallel, 2, 2);
  CHECK(difference(run_workers(shared).front().weights, run_workers(alone).front().weights) == "");
}

TEST_CASE("no cut of the skip model changes a bit", "[cuts]") { check_all_cuts(skip_model(kRows), 3); }
TEST_CASE("no cut of the conv model changes a bit", "[cuts]") { check_all_cuts(conv_model(kRows), 3); }
TEST_CASE("no cut of the LSTM model changes a bit", "[cuts]") { check_all_cuts(lstm_model(kRows), 3); }
TEST_CASE("no cut of the branching model changes a bit", "[cuts]") { check_all_cuts(branch_model(kRows), 3); }
TEST_CASE("no cut of the chain changes a bit", "[cuts]") { check_all_cuts(chain_model(kRows), 3); }

TEST_CASE("no cut changes a bit where microbatches overlap and flush", "[cuts]") {
  for (const Algorithm algorithm : {Algorithm::gpipe, Algorithm::flush_1f1b}) {
    check_all_cuts(conv_model(kRows), 3, algorithm);
    check_all_cuts(branch_model(kRows), 2, algorithm);
  }
}

TEST_CASE("no cut of random models changes a bit", "[cuts][random]") {
  for (std::uint64_t seed = 200; seed < 206; ++seed) check_all_cuts(random_model(seed, kRows), 2);
}

// Several stages on each worker against the oracle, bit for bit.
#include <catch2/catch.hpp>

#include "support/compare.h"
#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

ExactnessCase interleaved(TestModel model, int workers, int stages_per_worker, std::int64_t per_update = 0) {
  Plan plan = interleaved_plan(model.graph, workers, stages_per_worker, per_update);
  return {.model = std::move(model), .plan = std::move(plan), .segments = {13, 4}};
}

}  // namespace

TEST_CASE("interleaved stages, whole and ragged updates", "[interleaved]") {
  for (const TestModel& model : model_families(kRows)) {
    for (const int workers : {1, 2, 3}) {
      const int stages = workers == 3 ? 1 : 2;
      for (const std::int64_t per_update : {std::int64_t{workers}, std::int64_t{2} * workers, std::int64_t{0}}) {
        CHECK(check_in_threads(interleaved(model, workers, stages, per_update)) == "");
      }
    }
  }
}

TEST_CASE("interleaved stages with other optimizers, recomputation and clipping", "[interleaved]") {
  for (const OptimizerSpec& optimizer :
       {sgd({.learning_rate = 0.05, .momentum = 0.9}), adam({.learning_rate = 0.01})}) {
    for (const bool recompute : {false, true}) {
      for (const double norm : {0.0, 0.3}) {
        ExactnessCase example = interleaved(conv_model(kRows), 2, 2, 4);
        example.optimizer = optimizer;
        example.optimizer.clipping = {.max_norm = norm, .scope = ClipScope::global};
        for (StagePlan& stage : example.plan.stages) stage.recompute = recompute;
        CHECK(check_in_threads(example) == "");
      }
    }
  }
}

TEST_CASE("interleaving changes no bit of one worker's run", "[interleaved]") {
  const TestModel model = branch_model(kRows);
  ExactnessCase alone{.model = model,
                      .plan = single_stage_plan(model.graph.layer_names(), 1, Algorithm::data_parallel)};
  alone.plan.microbatches_per_update = 4;
  alone.segments = {13, 4};
  const NamedTensors expected = run_workers(alone).front().weights;
  for (const WorkerRun& run : run_workers(interleaved(model, 2, 3, 4))) {
    CHECK(difference(run.weights, expected) == "");
  }
}

TEST_CASE("twins of interleaved runs differ", "[interleaved][mutation]") {
  const ExactnessCase example = interleaved(conv_model(kRows), 2, 2, 4);
  const auto runs = run_workers(example);
  CHECK(difference(example, runs, replay(example)) == "");
  for (const int stage : {0, 1, 2, 3}) {
    CHECK(difference(example, runs, replay(example, Mutation::older_version, stage)) != "");
  }
  CHECK(difference(example, runs, replay(example, Mutation::wrong_seed)) != "");
}

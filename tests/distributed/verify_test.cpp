// verify() on models that are right, and on models and pipelines that are not.
#include "pipedream/verify.h"

#include <torch/nn/init.h>
#include <torch/nn/modules/linear.h>

#include <atomic>
#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

VerifyReport verified(const TestModel& model, const Plan& plan, VerifyOptions options = {}) {
  options.microbatch_size = 4;
  options.microbatches = 9;
  options.trainer.optimizer = sgd({.learning_rate = 0.05, .momentum = 0.9});
  options.trainer.device = test_device();
  std::vector<VerifyReport> reports(static_cast<std::size_t>(plan.workers()));
  run_test_workers(plan.workers(), [&](Communicator& comm) {
    reports[static_cast<std::size_t>(comm.rank())] = verify(model.graph, plan, *model.data, comm, options);
  });
  for (const VerifyReport& report : reports) CHECK(report.passed() == reports.front().passed());
  return reports.front();
}

}  // namespace

TEST_CASE("every algorithm is verified, layer by layer", "[verify]") {
  for (const Algorithm algorithm : all_algorithms()) {
    const TestModel model = conv_model(kRows);
    Plan plan = algorithm == Algorithm::data_parallel ? single_stage_plan(model.graph.layer_names(), 2, algorithm)
                : traits_of(algorithm).shares_workers ? interleaved_plan(model.graph, 2, 2, 4)
                                                      : even_plan(model.graph, algorithm, {1, 1, 1});
    const VerifyReport report = verified(model, plan);
    INFO(to_string(algorithm));
    CHECK(report.passed());
    CHECK(report.loss == 0);
    CHECK(report.model_repeats);
    // Two convolutions, two norms, the classifier.
    REQUIRE(report.layers.size() == 5);
    for (const LayerVerdict& layer : report.layers) {
      CHECK(layer.gradient == 0);
      CHECK(layer.weights == 0);
    }
  }
}

TEST_CASE("a model that does not repeat itself is told from a pipeline that is wrong", "[verify]") {
  // Draws behind the library's back.
  std::atomic<int> calls{0};
  const auto noisy = [&calls](const torch::Tensor& x) { return x * (1 + 1e-3 * ++calls); };
  TestModel model = chain_model(kRows);
  LayerGraph graph;
  auto h = graph.layer("first", graph.input("x"), [] { return torch::nn::Linear(5, 5); });
  h = graph.layer("noisy", h, noisy);
  h = graph.layer("last", h, [] { return torch::nn::Linear(5, 2); });
  graph.loss("loss", {h, graph.target("y")}, mean_squared_error);
  model.graph = graph;
  const VerifyReport report = verified(model, even_plan(model.graph, Algorithm::pipedream, {1, 1}));
  REQUIRE_FALSE(report.passed());
  CHECK_FALSE(report.model_repeats);
  CHECK(report.first->kind == Deviation::Kind::loss);
}

TEST_CASE("the first layer and microbatch that differ are named", "[verify]") {
  // The workers of the run get other initial weights in one layer than the replays after them.
  std::atomic<int> made{0};
  TestModel model = chain_model(kRows);
  LayerGraph graph;
  auto h = graph.layer("first", graph.input("x"), [] { return torch::nn::Linear(5, 5); });
  h = graph.layer("odd", h, [&made] {
    torch::nn::Linear layer(5, 5);
    if (made++ == 0) torch::nn::init::constant_(layer->weight, 0.01);
    return layer;
  });
  h = graph.layer("last", h, [] { return torch::nn::Linear(5, 2); });
  graph.loss("loss", {h, graph.target("y")}, mean_squared_error);
  model.graph = graph;
  const VerifyReport report = verified(model, even_plan(model.graph, Algorithm::pipedream, {1, 1}));
  REQUIRE_FALSE(report.passed());
  CHECK(report.model_repeats);
  CHECK(report.first->microbatch == 0);
  CHECK(report.layers.at(1).layer == "odd");
  CHECK(report.layers.at(1).weights > 0.1);
}

TEST_CASE("a tolerance lets small differences pass, and must make sense", "[verify]") {
  const TestModel model = chain_model(kRows);
  const Plan plan = even_plan(model.graph, Algorithm::pipedream, {1, 1});
  CHECK(verified(model, plan, {.tolerance = 1e-3}).passed());
  CHECK_THROWS_WITH(verified(model, plan, {.tolerance = -1}), Catch::Contains("tolerance of -1"));
}

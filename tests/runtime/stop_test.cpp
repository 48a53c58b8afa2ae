// A run that is asked to stop ends everywhere after the same microbatch, drained, as if it had been that long.
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <atomic>
#include <catch2/catch.hpp>

#include "pipedream/trainer.h"

using namespace pipedream;

namespace {

constexpr std::int64_t kSteps = 600;

LayerGraph graph() {
  LayerGraph g;
  auto h = g.layer("fc1", g.input("x"), [] { return torch::nn::Linear(4, 8); });
  h = g.layer("tanh", h, torch::tanh);
  h = g.layer("fc2", h, [] { return torch::nn::Linear(8, 2); });
  g.loss("loss", {h, g.target("y")}, mean_squared_error);
  return g;
}

Plan plan_of(std::vector<std::vector<int>> workers, Algorithm algorithm) {
  Plan plan;
  plan.algorithm = algorithm;
  const std::vector<std::vector<std::string>> layers =
      workers.size() == 1 ? std::vector<std::vector<std::string>>{{"fc1", "tanh", "fc2", "loss"}}
                          : std::vector<std::vector<std::string>>{{"fc1", "tanh"}, {"fc2", "loss"}};
  std::vector<int> replicas;
  for (std::size_t s = 0; s < workers.size(); ++s) {
    replicas.push_back(static_cast<int>(workers[s].size()));
    StagePlan& stage = plan.stages.emplace_back();
    stage.layers = layers[s];
    stage.workers = workers[s];
  }
  if (algorithm == Algorithm::pipedream) {
    const auto warmup = default_warmup(replicas);
    for (std::size_t s = 0; s < warmup.size(); ++s) plan.stages[s].warmup = warmup[s];
  }
  return plan;
}

struct Outcome {
  std::int64_t microbatches = 0;
  bool stopped = false;
  std::map<std::string, torch::Tensor> weights;
};

// One worker wishes to stop from its third question on.
Outcome run(const Plan& plan, std::int64_t steps, int who_wishes) {
  const LayerGraph g = graph();
  torch::manual_seed(1);
  const TensorDataset data({{"x", torch::randn({64, 4})}, {"y", torch::randn({64, 2})}});
  Outcome outcome;
  run_in_threads(plan.workers(), [&](Communicator& comm) {
    Trainer trainer(g, plan, comm, {.optimizer = sgd({.learning_rate = 0.1}), .seed = 5});
    int asked = 0;
    const TrainResult result = trainer.train(data, {.steps = steps, .microbatch_size = 4, .stop_requested = [&] {
                                                      return comm.rank() == who_wishes && ++asked > 2;
                                                    }});
    auto weights = trainer.weights();
    if (comm.rank() != 0) return;
    outcome = {result.microbatches, result.stopped, std::move(weights)};
  });
  return outcome;
}

void check_stop(const Plan& plan) {
  const int last = plan.workers() - 1;
  const Outcome stopped = run(plan, kSteps, last);
  REQUIRE(stopped.stopped);
  REQUIRE(stopped.microbatches > 0);
  REQUIRE(stopped.microbatches < kSteps);
  const Outcome whole = run(plan, stopped.microbatches, -1);
  CHECK_FALSE(whole.stopped);
  for (const auto& [name, value] : whole.weights) CHECK(torch::equal(value, stopped.weights.at(name)));
}

}  // namespace

TEST_CASE("a single worker stops at once") { check_stop(plan_of({{0}}, Algorithm::pipedream)); }
TEST_CASE("a straight pipeline stops") { check_stop(plan_of({{0}, {1}}, Algorithm::pipedream)); }
TEST_CASE("replicas before one worker stop") { check_stop(plan_of({{0, 1}, {2}}, Algorithm::pipedream)); }
TEST_CASE("one worker before replicas stops") { check_stop(plan_of({{0}, {1, 2}}, Algorithm::pipedream)); }
TEST_CASE("model parallelism stops") { check_stop(plan_of({{0}, {1}}, Algorithm::model_parallel)); }
TEST_CASE("data parallelism stops") { check_stop(plan_of({{0, 1, 2}}, Algorithm::data_parallel)); }

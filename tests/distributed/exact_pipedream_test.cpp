// PipeDream's weight stashing against the oracle, bit for bit: losses, gradients of stage inputs, final weights.
#include <catch2/catch.hpp>
#include <numeric>
#include <random>

#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

ExactnessCase pipelined(TestModel model, const std::vector<int>& replicas) {
  Plan plan = even_plan(model.graph, Algorithm::pipedream, replicas);
  return {.model = std::move(model), .plan = std::move(plan)};
}

std::string name_of(const std::vector<int>& replicas) {
  std::string text;
  for (const int r : replicas) text += (text.empty() ? "" : "-") + std::to_string(r);
  return text;
}

const std::vector<std::vector<int>> kReplicated = {{2, 1}, {1, 2}, {3, 2}, {2, 2, 1}};

}  // namespace

TEST_CASE("straight pipelines of one to five stages", "[pipedream]") {
  for (int stages = 1; stages <= 5; ++stages) {
    for (const TestModel& model : model_families(kRows)) {
      ExactnessCase example = pipelined(model, std::vector<int>(static_cast<std::size_t>(stages), 1));
      example.segments = {10};
      CHECK(check_in_threads(example) == "");
    }
  }
}

TEST_CASE("deeper warm-up than the default", "[pipedream]") {
  ExactnessCase example = pipelined(conv_model(kRows), {1, 1, 1});
  example.plan.stages[0].warmup = 4;
  example.plan.stages[1].warmup = 2;
  CHECK(check_in_threads(example) == "");
}

TEST_CASE("replicated stages, with and without reduce_delay", "[pipedream]") {
  for (const std::vector<int>& replicas : kReplicated) {
    for (const int delay : {0, 1}) {
      for (const TestModel& model : {skip_model(kRows), conv_model(kRows), branch_model(kRows)}) {
        ExactnessCase example = pipelined(model, replicas);
        for (StagePlan& stage : example.plan.stages) stage.reduce_delay = stage.replicas() > 1 ? delay : 0;
        example.segments = {12};
        CHECK(check_in_threads(example) == "");
      }
    }
  }
}

TEST_CASE("rounds that miss replicas and runs shorter than the warm-up", "[pipedream]") {
  for (const std::vector<int>& replicas : {std::vector<int>{2, 1}, {1, 3}, {3, 2}, {1, 1, 1}}) {
    for (const int delay : {0, 1}) {
      for (const std::int64_t microbatches : {1, 2, 3, 5, 7, 11}) {
        ExactnessCase example = pipelined(lstm_model(kRows), replicas);
        for (StagePlan& stage : example.plan.stages) stage.reduce_delay = stage.replicas() > 1 ? delay : 0;
        example.segments = {microbatches};
        CHECK(check_in_threads(example) == "");
      }
    }
  }
}

TEST_CASE("every optimizer", "[pipedream]") {
  std::vector<OptimizerSpec> optimizers = {
      sgd({.learning_rate = 0.05}),
      sgd({.learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01}),
      adam({.learning_rate = 0.01, .weight_decay = 0.02}),
      adamw({.learning_rate = 0.01, .weight_decay = 0.1}),
  };
  OptimizerSpec grouped = adamw({.learning_rate = 0.01, .weight_decay = 0.1});
  grouped.groups = {{.pattern = "norm*", .learning_rate = 0.02, .weight_decay = 0.0, .momentum = {}},
                    {.pattern = "*.bias", .learning_rate = {}, .weight_decay = 0.0, .momentum = {}}};
  optimizers.push_back(grouped);
  OptimizerSpec momenta = sgd({.learning_rate = 0.05, .momentum = 0.9});
  momenta.groups = {{.pattern = "fc?.weight", .learning_rate = {}, .weight_decay = {}, .momentum = 0.5}};
  momenta.scale_by_replicas = false;
  optimizers.push_back(momenta);
  OptimizerSpec scaled = adam({.learning_rate = 0.01});
  scaled.scale_by_replicas = true;
  optimizers.push_back(scaled);

  for (const OptimizerSpec& optimizer : optimizers) {
    for (const std::vector<int>& replicas : {std::vector<int>{1, 1, 1}, {2, 1}}) {
      ExactnessCase example = pipelined(skip_model(kRows), replicas);
      example.optimizer = optimizer;
      example.segments = {11};
      CHECK(check_in_threads(example) == "");
    }
  }
}

TEST_CASE("several train calls continue data, draws, versions and optimizer", "[pipedream]") {
  for (const std::vector<int>& replicas : {std::vector<int>{1, 1, 1}, {2, 1}, {3, 2}}) {
    for (const bool shuffle : {false, true}) {
      ExactnessCase example = pipelined(conv_model(kRows), replicas);
      example.optimizer = adam({.learning_rate = 0.01});
      example.segments = {7, 3, 1, 12};
      example.shuffle = shuffle;
      CHECK(check_in_threads(example) == "");
    }
  }
}

TEST_CASE("epochs are microbatches", "[pipedream]") {
  ExactnessCase example = pipelined(skip_model(kRows), {1, 1});
  example.segments = {14, 7};
  const Replay expected = replay(example);
  std::vector<float> losses;
  run_test_workers(2, [&](Communicator& comm) {
    Trainer trainer(example.model.graph, example.plan, comm,
                    {.optimizer = example.optimizer, .seed = example.seed, .device = example.device});
    const TrainResult first = trainer.train(*example.model.data, {.epochs = 2, .microbatch_size = 4});
    const TrainResult second = trainer.train(*example.model.data, {.epochs = 1, .microbatch_size = 4});
    if (comm.rank() != 0) return;
    losses = first.losses;
    losses.insert(losses.end(), second.losses.begin(), second.losses.end());
  });
  CHECK(losses == expected.losses());
}

TEST_CASE("stages whose layers interleave in graph order", "[pipedream]") {
  // Of the trunk's four uses the first and third are in stage 1, the others in stage 2.
  ExactnessCase example{.model = branch_model(kRows), .plan = {}};
  example.plan = cut_plan(example.model.graph, Algorithm::pipedream, {1, 3}, {1, 2, 1});
  example.plan.stages[1].layers = {"a", "b"};
  example.plan.stages[2].layers = {"sort", "gather", "merge", "fc", "rejoin", "join_tail", "head", "loss"};
  CHECK(check_in_threads(example) == "");
}

TEST_CASE("random models under random plans", "[pipedream][random]") {
  for (std::uint64_t seed = 100; seed < 130; ++seed) {
    std::mt19937_64 engine(seed);
    const auto draw = [&](std::uint64_t bound) { return static_cast<std::size_t>(engine() % bound); };
    TestModel model = random_model(seed, kRows);
    const std::size_t layers = model.graph.layer_names().size();
    std::vector<int> replicas(1 + draw(std::min<std::size_t>(4, layers)));
    for (int& r : replicas) r = draw(3) == 0 ? 2 : 1;
    if (draw(4) == 0) replicas.front() = 3;
    const auto cuts = all_cuts(layers, static_cast<int>(replicas.size()) - 1);
    ExactnessCase example{.model = model,
                          .plan = cut_plan(model.graph, Algorithm::pipedream, cuts[draw(cuts.size())], replicas)};
    for (std::size_t s = 0; s + 1 < replicas.size(); ++s) example.plan.stages[s].warmup += static_cast<int>(draw(2));
    for (StagePlan& stage : example.plan.stages) {
      stage.reduce_delay = stage.replicas() > 1 ? static_cast<int>(draw(2)) : 0;
    }
    example.segments = {static_cast<std::int64_t>(1 + draw(12)), static_cast<std::int64_t>(1 + draw(6))};
    example.seed = seed;
    INFO(name_of(replicas));
    CHECK(check_in_threads(example) == "");
  }
}

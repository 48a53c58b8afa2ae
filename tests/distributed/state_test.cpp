// What a run holds and leaves behind: weight versions and buffers counted, evaluation without a trace, weights
// gathered.
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "support/compare.h"
#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

ExactnessCase stateful_case(TestModel model, Algorithm algorithm, const std::vector<int>& replicas) {
  ExactnessCase example{.model = std::move(model), .plan = {}};
  example.plan = even_plan(example.model.graph, algorithm, replicas);
  return example;
}

TrainOptions steps_of(const ExactnessCase& example, std::int64_t steps) {
  return {.steps = steps, .microbatch_size = example.microbatch_size, .shuffle = example.shuffle};
}

}  // namespace

TEST_CASE("weight stashing holds w + 1 versions and stops allocating", "[state]") {
  for (const std::vector<int>& replicas : {std::vector<int>{1}, {1, 1, 1, 1}, {2, 1}, {1, 2}, {3, 2}}) {
    for (const int delay : {0, 1}) {
      ExactnessCase example = stateful_case(chain_model(kRows), Algorithm::pipedream, replicas);
      for (StagePlan& stage : example.plan.stages) stage.reduce_delay = stage.replicas() > 1 ? delay : 0;
      example.segments = {30, 30, 60};
      for (const WorkerRun& run : run_workers(example)) {
        INFO(describe(example) << ", stage " << run.stages.front());
        const StagePlan& stage = example.plan.stages[static_cast<std::size_t>(run.stages.front())];
        const RuntimeCounters& first = run.counters.front();
        CHECK(first.peak_versions == stage.warmup + 1);
        CHECK(first.peak_in_flight == stage.warmup + 1);
        CHECK(first.version_buffers <= stage.warmup + 2);
        CHECK(first.updates == (30 + stage.replicas() - 1) / stage.replicas());
        CHECK(run.counters.back().peak_versions == first.peak_versions);
        CHECK(run.counters.back().version_buffers == first.version_buffers);
        CHECK(run.counters.back().updates > first.updates);
      }
    }
  }
}

TEST_CASE("model and data parallelism hold the weights once", "[state]") {
  for (const ExactnessCase& base : {stateful_case(conv_model(kRows), Algorithm::model_parallel, {1, 1, 1}),
                                    stateful_case(conv_model(kRows), Algorithm::data_parallel, {3})}) {
    ExactnessCase example = base;
    example.segments = {9, 9};
    for (const WorkerRun& run : run_workers(example)) {
      INFO(describe(example));
      for (const RuntimeCounters& counters : run.counters) {
        CHECK(counters.peak_versions == 1);
        CHECK(counters.version_buffers == 1);
        CHECK(counters.version_copies == 0);
      }
    }
  }
}

TEST_CASE("the last stage of a straight pipeline updates in place", "[state]") {
  ExactnessCase example = stateful_case(chain_model(kRows), Algorithm::pipedream, {1, 1, 1});
  const auto runs = run_workers(example);
  CHECK(runs.back().counters.back().version_copies == 0);
  CHECK(runs.front().counters.back().version_copies > 0);
}

TEST_CASE("evaluation agrees with the oracle and leaves no trace", "[state]") {
  for (const std::vector<int>& replicas : {std::vector<int>{1, 1, 1}, {2, 1}, {3, 2}}) {
    for (const TestModel& model : {conv_model(kRows), lstm_model(kRows)}) {
      ExactnessCase example = stateful_case(model, Algorithm::pipedream, replicas);
      example.segments = {7, 5};
      example.optimizer = sgd({.learning_rate = 0.05, .momentum = 0.9});
      const Replay expected = replay(example);
      Replay until_evaluation(
          model.graph, example.plan,
          {.optimizer = example.optimizer, .seed = example.seed, .microbatch_size = 4, .device = example.device});
      until_evaluation.train(*model.data, 7);
      const double loss = until_evaluation.evaluate(*model.data, 5);

      std::vector<std::string> faults(static_cast<std::size_t>(example.plan.workers()));
      run_test_workers(example.plan.workers(), [&](Communicator& comm) {
        Trainer trainer(model.graph, example.plan, comm,
                        {.optimizer = example.optimizer, .seed = example.seed, .device = example.device});
        std::string& fault = faults[static_cast<std::size_t>(comm.rank())];
        trainer.train(*model.data, steps_of(example, 7));
        const NamedTensors before = trainer.weights();
        const EvaluationResult first = trainer.evaluate(*model.data, 5);
        const EvaluationResult second = trainer.evaluate(*model.data, 5);
        fault += difference(trainer.weights(), before);
        if (first.loss != loss || second.loss != loss) fault += " evaluation " + std::to_string(first.loss);
        if (first.samples != kRows || first.metrics != second.metrics) fault += " samples or metrics";
        trainer.train(*model.data, steps_of(example, 5));
        fault += difference(trainer.weights(), expected.weights());
      });
      INFO(describe(example));
      for (const std::string& fault : faults) CHECK(fault == "");
    }
  }
}

TEST_CASE("saved weights load under another plan", "[state]") {
  const TestModel model = conv_model(kRows);
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "pipedream_state_test.safetensors";
  NamedTensors saved;
  ExactnessCase example = stateful_case(model, Algorithm::pipedream, {2, 1});
  run_test_workers(3, [&](Communicator& comm) {
    Trainer trainer(model.graph, example.plan, comm, {.seed = 3, .device = example.device});
    trainer.train(*model.data, steps_of(example, 8));
    trainer.save_weights(path);
    NamedTensors weights = trainer.weights();
    if (comm.rank() == 2) saved = std::move(weights);
  });
  CHECK(difference(read_safetensors(path), saved) == "");
  NamedTensors loaded;
  ExactnessCase other = stateful_case(model, Algorithm::model_parallel, {1, 1});
  run_test_workers(2, [&](Communicator& comm) {
    Trainer trainer(model.graph, other.plan, comm, {.seed = 4, .device = other.device});
    trainer.load_weights(path);
    NamedTensors weights = trainer.weights();
    if (comm.rank() == 0) loaded = std::move(weights);
  });
  CHECK(difference(loaded, saved) == "");
  std::filesystem::remove(path);
}

TEST_CASE("the caller's random generator is left as it was", "[state]") {
  torch::manual_seed(17);
  const torch::Tensor undisturbed = torch::rand({8});
  torch::manual_seed(17);
  const ExactnessCase example = stateful_case(conv_model(kRows), Algorithm::pipedream, {1, 1});
  run_workers(example);
  CHECK(difference(torch::rand({8}), undisturbed) == "");
}

TEST_CASE("telemetry tells which versions microbatches met and how far they were from the newest", "[state]") {
  for (const Algorithm algorithm : {Algorithm::pipedream, Algorithm::two_bw, Algorithm::pipemare, Algorithm::gpipe}) {
    ExactnessCase example = stateful_case(chain_model(kRows), algorithm, {1, 1, 1});
    Replay oracle(example.model.graph, example.plan, {.optimizer = example.optimizer, .seed = example.seed});
    std::vector<StalenessRecord> records;
    run_test_workers(3, [&](Communicator& comm) {
      Trainer trainer(
          example.model.graph, example.plan, comm,
          {.optimizer = example.optimizer, .corrections = std::vector<DelayCorrectionSpec>{}, .seed = example.seed});
      TrainOptions options = steps_of(example, 12);
      options.staleness = StalenessTelemetry::distances;
      const TrainResult result = trainer.train(*example.model.data, options);
      if (comm.rank() == 1) records = result.staleness;
    });
    oracle.train(*example.model.data, 12);
    REQUIRE(records.size() == 36);
    for (std::size_t i = 0; i < records.size(); ++i) {
      const StalenessRecord& record = records[i];
      INFO(to_string(algorithm) << " microbatch " << record.microbatch << " stage " << record.stage);
      CHECK(record.microbatch == static_cast<std::int64_t>(i / 3));
      CHECK(record.stage == static_cast<int>(i % 3));
      CHECK(record.version <= record.newest);
      if (algorithm == Algorithm::gpipe || record.version == record.newest) {
        CHECK(record.distance == 0);
        continue;
      }
      if (algorithm == Algorithm::pipemare) {
        CHECK(std::isnan(record.distance));
        continue;
      }
      const auto flat = [&](std::int64_t version) {
        Tensors parts;
        for (const auto& tensor : oracle.versions(record.stage).at(static_cast<std::size_t>(version))) {
          parts.push_back(tensor.flatten());
        }
        return torch::cat(parts).to(torch::kDouble);
      };
      const torch::Tensor newest = flat(record.newest);
      CHECK(record.distance ==
            Approx((flat(record.version) - newest).norm().item<double>() / newest.norm().item<double>()));
    }
  }
}

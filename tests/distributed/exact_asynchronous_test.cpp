// What does not flush, beside plain weight stashing, against the oracle: vertical sync, 2BW and PipeMare; and segments
// under several algorithms. Bit for bit.
#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "support/compare.h"
#include "support/exactness.h"
#include "support/twins.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

constexpr CorrectionChoice kNone = {};
constexpr CorrectionChoice kT1 = {.t1 = true, .annealing_microbatches = 9};
constexpr CorrectionChoice kT2 = {.t2 = true};
constexpr CorrectionChoice kPipeMare = {.t1 = true, .annealing_microbatches = 9, .t2 = true, .decay = 0.5};
constexpr CorrectionChoice kSpecTrain = {.spectrain = true};

ExactnessCase case_of(TestModel model, Algorithm algorithm, const std::vector<int>& replicas,
                      const CorrectionChoice& corrections = kNone) {
  Plan plan = even_plan(model.graph, algorithm, replicas);
  return {.model = std::move(model), .plan = std::move(plan), .segments = {10, 7}, .corrections = corrections};
}

std::vector<OptimizerSpec> optimizers() {
  return {sgd({.learning_rate = 0.05}), sgd({.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 0.01}),
          adam({.learning_rate = 0.01})};
}

// What a correction was told; written by one worker each.
struct Told {
  double delay = -1;
  std::vector<std::int64_t> microbatches;
  int changed_weights = 0;  // parameters that an update changed
};

// Halves gradients and doubles the rate, which rounds nothing.
class HalfAndDouble : public DelayCorrection {
 public:
  explicit HalfAndDouble(Told& told) : told_(told) {}

  double before_update(const Tensors& gradients, std::int64_t microbatch) override {
    told_.microbatches.push_back(microbatch);
    for (const auto& gradient : gradients) {
      if (gradient.defined()) gradient.mul_(0.5);
    }
    return 2;
  }
  bool observes_updates() const override { return true; }
  void after_update(const Tensors& before, const Tensors& after) override {
    for (std::size_t i = 0; i < after.size(); ++i) told_.changed_weights += before[i].equal(after[i]) ? 0 : 1;
  }

 private:
  Told& told_;
};

}  // namespace

TEST_CASE("vertical sync", "[asynchronous]") {
  for (const std::vector<int>& replicas : {std::vector<int>{1, 1}, {1, 1, 1, 1}, {2, 1}, {1, 2}, {3, 2}, {2, 2, 1}}) {
    for (const TestModel& model : {skip_model(kRows), conv_model(kRows)}) {
      for (const OptimizerSpec& optimizer : optimizers()) {
        ExactnessCase example = case_of(model, Algorithm::vertical_sync, replicas);
        example.optimizer = optimizer;
        CHECK(check_in_threads(example) == "");
      }
    }
  }
}

TEST_CASE("2BW", "[asynchronous]") {
  for (const std::vector<int>& replicas : {std::vector<int>{1, 1}, {1, 1, 1, 1}, {2, 1}, {1, 2}, {3, 2}}) {
    for (const TestModel& model : {skip_model(kRows), conv_model(kRows)}) {
      for (const OptimizerSpec& optimizer : optimizers()) {
        for (const std::int64_t per_update : {0, 6}) {
          ExactnessCase example = case_of(model, Algorithm::two_bw, replicas);
          example.optimizer = optimizer;
          example.plan.microbatches_per_update = per_update;
          CHECK(check_in_threads(example) == "");
        }
      }
    }
  }
}

TEST_CASE("2BW holds two versions", "[asynchronous][state]") {
  ExactnessCase example = case_of(chain_model(kRows), Algorithm::two_bw, {1, 1, 1});
  example.segments = {30, 30};
  for (const WorkerRun& run : run_workers(example)) {
    CHECK(run.counters.back().peak_versions == 2);
    CHECK(run.counters.back().version_buffers <= 3);
  }
}

TEST_CASE("PipeMare, corrected and naive", "[asynchronous]") {
  for (const std::vector<int>& replicas : {std::vector<int>{1, 1}, {1, 1, 1, 1}, {2, 1}, {1, 2}}) {
    for (const TestModel& model : {skip_model(kRows), conv_model(kRows), lstm_model(kRows)}) {
      for (const CorrectionChoice& corrections : {kNone, kT1, kT2, kPipeMare, kSpecTrain}) {
        CHECK(check_in_threads(case_of(model, Algorithm::pipemare, replicas, corrections)) == "");
      }
      CHECK(check_in_threads(case_of(model, Algorithm::naive_asynchronous, replicas)) == "");
    }
  }
}

TEST_CASE("PipeMare with other optimizers and updates of several microbatches", "[asynchronous]") {
  for (const OptimizerSpec& optimizer : optimizers()) {
    for (const std::vector<int>& replicas : {std::vector<int>{1, 1, 1}, {2, 1}}) {
      for (const CorrectionChoice& corrections : {kPipeMare, kSpecTrain}) {
        ExactnessCase example = case_of(conv_model(kRows), Algorithm::pipemare, replicas, corrections);
        example.optimizer = optimizer;
        example.plan.microbatches_per_update = 2;
        CHECK(check_in_threads(example) == "");
      }
    }
  }
}

TEST_CASE("PipeMare holds the weights once", "[asynchronous][state]") {
  for (const WorkerRun& run : run_workers(case_of(chain_model(kRows), Algorithm::pipemare, {1, 1, 1}, kPipeMare))) {
    CHECK(run.counters.back().peak_versions == 1);
    CHECK(run.counters.back().version_buffers == 1);
  }
}

TEST_CASE("segments go on with weights, optimizer, data and draws", "[asynchronous]") {
  // The corrections come into use twice.
  const std::vector<TrainSegment> t3 = {{.algorithm = Algorithm::flush_1f1b, .steps = 9},
                                        {.algorithm = Algorithm::pipemare, .steps = 11},
                                        {.algorithm = Algorithm::gpipe, .steps = 5},
                                        {.algorithm = Algorithm::pipemare, .steps = 6}};
  const std::vector<TrainSegment> there_and_back = {{.algorithm = Algorithm::flush_1f1b, .steps = 9},
                                                    {.algorithm = Algorithm::pipedream, .steps = 8},
                                                    {.algorithm = Algorithm::two_bw, .steps = 7},
                                                    {.algorithm = Algorithm::naive_asynchronous, .steps = 5},
                                                    {.algorithm = Algorithm::vertical_sync, .steps = 6}};
  for (const std::vector<int>& replicas : {std::vector<int>{1, 1, 1}, {2, 1}}) {
    for (const TestModel& model : {skip_model(kRows), conv_model(kRows)}) {
      ExactnessCase example = case_of(model, Algorithm::pipemare, replicas, kPipeMare);
      example.optimizer = adam({.learning_rate = 0.01});
      example.segments = {};
      example.mixed = t3;
      CHECK(check_in_threads(example) == "");
      example.corrections = kNone;
      example.mixed = there_and_back;
      CHECK(check_in_threads(example) == "");
    }
  }
}

TEST_CASE("twins of vertical sync, 2BW and PipeMare differ", "[asynchronous][mutation]") {
  for (const Algorithm algorithm : {Algorithm::vertical_sync, Algorithm::two_bw}) {
    ExactnessCase example = case_of(conv_model(kRows), algorithm, {1, 1, 1});
    example.segments = {12};
    const auto runs = run_workers(example);
    REQUIRE(difference(example, runs, replay(example)) == "");
    for (const int stage : {0, 1, 2}) {
      for (const Mutation mutation : {Mutation::newer_version, Mutation::older_version, Mutation::no_stash_restore}) {
        check_twin(example, runs, mutation, stage);
      }
    }
  }
  for (const CorrectionChoice& corrections : {kT1, kT2, kSpecTrain}) {
    const ExactnessCase example = case_of(conv_model(kRows), Algorithm::pipemare, {1, 1, 1}, corrections);
    const auto runs = run_workers(example);
    REQUIRE(difference(example, runs, replay(example)) == "");
    // The delay of stage 1 is one update, at which T1 leaves the rate alone.
    for (const int stage : corrections.t1 ? std::vector<int>{0} : std::vector<int>{0, 1}) {
      for (const Mutation mutation : {Mutation::older_version, Mutation::stashed_backward, Mutation::no_correction}) {
        check_twin(example, runs, mutation, stage);
      }
    }
  }
}

TEST_CASE("a correction of one's own sees gradients, rates and updates", "[asynchronous]") {
  for (const Algorithm algorithm : {Algorithm::pipedream, Algorithm::pipemare}) {
    const ExactnessCase plain = case_of(chain_model(kRows), algorithm, {1, 1});
    NamedTensors weights;
    std::vector<Told> told(2);
    run_in_threads(2, [&](Communicator& comm) {
      Told& own = told[static_cast<std::size_t>(comm.rank())];
      const DelayCorrectionSpec spec{.name = "half and double", .make = [&own](const StageDelay& delay) {
                                       own.delay = delay.updates;
                                       return std::make_unique<HalfAndDouble>(own);
                                     }};
      Trainer trainer(
          plain.model.graph, plain.plan, comm,
          {.optimizer = plain.optimizer, .corrections = std::vector<DelayCorrectionSpec>{spec}, .seed = plain.seed});
      trainer.train(*plain.model.data, {.steps = 10, .microbatch_size = 4, .shuffle = plain.shuffle});
      const NamedTensors all = trainer.weights();
      if (comm.rank() == 0) weights = all;
    });
    CHECK(told[0].delay == 1);
    CHECK(told[1].delay == 0);
    for (const Told& own : told) {
      CHECK(own.microbatches == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
      CHECK(own.changed_weights > 0);
    }
    Replay expected(plain.model.graph, plain.plan, {.optimizer = plain.optimizer, .seed = plain.seed});
    expected.train(*plain.model.data, 10);
    CHECK(difference(weights, expected.weights()) == "");
  }
}

TEST_CASE("corrections that do not fit an algorithm are refused", "[asynchronous]") {
  const auto message = [](Algorithm algorithm, const CorrectionChoice& corrections) -> std::string {
    try {
      run_workers(case_of(chain_model(kRows), algorithm, {1, 1}, corrections));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message(Algorithm::pipedream, kT1) == "");
  CHECK_THAT(message(Algorithm::pipedream, kT2), Catch::Contains("change weights under pipedream"));
  CHECK_THAT(message(Algorithm::naive_asynchronous, kT1), Catch::Contains("naive-asynchronous, which has none"));
}

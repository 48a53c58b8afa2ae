#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>

#include "pipedream/error.h"
#include "pipedream/schedule.h"
#include "plans.h"

namespace pipedream {
namespace {

using testing::make_plan;

std::string computes(const Plan& plan, std::int64_t microbatches, int worker, Pass pass = Pass::train) {
  return testing::text(compute_actions(plan, {pass, microbatches}, worker));
}

}  // namespace

TEST_CASE("PipeDream's straight 1F1B") {
  const Plan plan = testing::straight_pipedream(3);
  CHECK(computes(plan, 5, 0) ==
        "F0.0@v0 F0.1@v0 F0.2@v0 B0.0@v0 U0.0@v1 F0.3@v1 B0.1@v0 U0.1@v2 F0.4@v2 B0.2@v0 U0.2@v3 B0.3@v1 U0.3@v4 "
        "B0.4@v2 U0.4@v5");
  CHECK(computes(plan, 5, 1) ==
        "F1.0@v0 F1.1@v0 B1.0@v0 U1.0@v1 F1.2@v1 B1.1@v0 U1.1@v2 F1.3@v2 B1.2@v1 U1.2@v3 F1.4@v3 B1.3@v2 U1.3@v4 "
        "B1.4@v3 U1.4@v5");
  CHECK(computes(plan, 3, 2) == "F2.0@v0 B2.0@v0 U2.0@v1 F2.1@v1 B2.1@v1 U2.1@v2 F2.2@v2 B2.2@v2 U2.2@v3");
}

TEST_CASE("PipeDream's 1F1B-RR: microbatches in turn, updates by rounds, the last one ragged") {
  const Plan plan = make_plan(Algorithm::pipedream, {2, 1}, {1, 0});
  CHECK(computes(plan, 5, 0) == "F0.0@v0 F0.2@v0 B0.0@v0 U0.0x2@v1 F0.4@v1 B0.2@v0 U0.2x2@v2 B0.4@v1 U0.4@v3");
  CHECK(computes(plan, 5, 1) == "F0.1@v0 F0.3@v0 B0.1@v0 U0.0x2@v1 B0.3@v0 U0.2x2@v2 U0.4@v3");
  CHECK(computes(plan, 1, 1) == "U0.0@v1");
}

TEST_CASE("reduce_delay applies an update one round later") {
  const Plan plan = make_plan(Algorithm::pipedream, {2, 1}, {1, 0}, {1, 0});
  CHECK(computes(plan, 8, 0) ==
        "F0.0@v0 F0.2@v0 B0.0@v0 F0.4@v0 B0.2@v0 U0.0x2@v1 F0.6@v1 B0.4@v0 U0.2x2@v2 B0.6@v1 U0.4x2@v3 U0.6x2@v4");
}

TEST_CASE("model parallelism runs one microbatch at a time") {
  const Plan plan = make_plan(Algorithm::model_parallel, {1, 1});
  for (int worker : {0, 1}) {
    CHECK(computes(plan, 2, worker) ==
          fmt::format("F{0}.0@v0 B{0}.0@v0 U{0}.0@v1 F{0}.1@v1 B{0}.1@v1 U{0}.1@v2", worker));
  }
}

TEST_CASE("data parallelism updates after every M microbatches, by default one a worker") {
  Plan plan = make_plan(Algorithm::data_parallel, {2});
  CHECK(computes(plan, 3, 0) == "F0.0@v0 B0.0@v0 U0.0x2@v1 F0.2@v1 B0.2@v1 U0.2@v2");
  CHECK(computes(plan, 3, 1) == "F0.1@v0 B0.1@v0 U0.0x2@v1 U0.2@v2");
  plan.microbatches_per_update = 3;
  CHECK(computes(plan, 5, 0) == "F0.0@v0 B0.0@v0 F0.2@v0 B0.2@v0 U0.0x3@v1 F0.4@v1 B0.4@v1 U0.3x2@v2");
  CHECK(computes(plan, 5, 1) == "F0.1@v0 B0.1@v0 U0.0x3@v1 F0.3@v1 B0.3@v1 U0.3x2@v2");
}

TEST_CASE("GPipe passes all of an update forward, then all backward") {
  Plan plan = make_plan(Algorithm::gpipe, {1, 2});
  plan.microbatches_per_update = 3;
  CHECK(computes(plan, 5, 0) ==
        "F0.0@v0 F0.1@v0 F0.2@v0 B0.0@v0 B0.1@v0 B0.2@v0 U0.0x3@v1 F0.3@v1 F0.4@v1 B0.3@v1 B0.4@v1 U0.3x2@v2");
  CHECK(computes(plan, 5, 1) == "F1.0@v0 F1.2@v0 B1.0@v0 B1.2@v0 U1.0x3@v1 F1.4@v1 B1.4@v1 U1.3x2@v2");
  CHECK(computes(plan, 5, 2) == "F1.1@v0 B1.1@v0 U1.0x3@v1 F1.3@v1 B1.3@v1 U1.3x2@v2");
}

TEST_CASE("1F1B with a flush alternates as soon as its depth is reached") {
  Plan plan = make_plan(Algorithm::flush_1f1b, {1, 1}, {1, 0});
  plan.microbatches_per_update = 3;
  CHECK(computes(plan, 4, 0) == "F0.0@v0 F0.1@v0 B0.0@v0 F0.2@v0 B0.1@v0 B0.2@v0 U0.0x3@v1 F0.3@v1 B0.3@v1 U0.3@v2");
  CHECK(computes(plan, 4, 1) == "F1.0@v0 B1.0@v0 F1.1@v0 B1.1@v0 F1.2@v0 B1.2@v0 U1.0x3@v1 F1.3@v1 B1.3@v1 U1.3@v2");
}

TEST_CASE("vertical sync gives every stage the delay of the first") {
  const Plan plan = make_plan(Algorithm::vertical_sync, {1, 1}, {1, 0});
  CHECK(computes(plan, 3, 0) == "F0.0@v0 F0.1@v0 B0.0@v0 U0.0@v1 F0.2@v1 B0.1@v0 U0.1@v2 B0.2@v1 U0.2@v3");
  CHECK(computes(plan, 3, 1) == "F1.0@v0 B1.0@v0 U1.0@v1 F1.1@v0 B1.1@v0 U1.1@v2 F1.2@v1 B1.2@v1 U1.2@v3");
}

TEST_CASE("2BW updates after every m microbatches and is one update behind everywhere") {
  Plan plan = make_plan(Algorithm::two_bw, {1, 1}, {1, 0});
  plan.microbatches_per_update = 2;
  CHECK(computes(plan, 5, 0) ==
        "F0.0@v0 F0.1@v0 B0.0@v0 F0.2@v0 B0.1@v0 U0.0x2@v1 F0.3@v0 B0.2@v0 F0.4@v1 B0.3@v0 U0.2x2@v2 B0.4@v1 U0.4@v3");
  CHECK(computes(plan, 5, 1) ==
        "F1.0@v0 B1.0@v0 F1.1@v0 B1.1@v0 U1.0x2@v1 F1.2@v0 B1.2@v0 F1.3@v0 B1.3@v0 U1.2x2@v2 F1.4@v1 B1.4@v1 U1.4@v3");
  plan = make_plan(Algorithm::two_bw, {3, 1, 2}, {2, 2, 0});
  CHECK(microbatches_per_update(plan, 1) == 6);
}

TEST_CASE("PipeMare's backward sees the newest weights") {
  Plan plan = make_plan(Algorithm::pipemare, {1, 1}, {1, 0});
  CHECK(computes(plan, 3, 0) == "F0.0@v0 F0.1@v0 B0.0@v0 U0.0@v1 F0.2@v1 B0.1@v1 U0.1@v2 B0.2@v2 U0.2@v3");
  CHECK(computes(plan, 3, 1) == "F1.0@v0 B1.0@v0 U1.0@v1 F1.1@v1 B1.1@v1 U1.1@v2 F1.2@v2 B1.2@v2 U1.2@v3");
  plan.microbatches_per_update = 2;
  CHECK(computes(plan, 3, 0) == "F0.0@v0 F0.1@v0 B0.0@v0 F0.2@v0 B0.1@v0 U0.0x2@v1 B0.2@v1 U0.2@v2");
}

TEST_CASE("an update of the flushing pipelines has four microbatches a worker unless the plan says otherwise") {
  CHECK(microbatches_per_update(testing::interleaved_plan(3, 2), 5) == 12);
  for (const Algorithm algorithm : {Algorithm::gpipe, Algorithm::flush_1f1b}) {
    Plan plan = make_plan(algorithm, {2, 1});
    CHECK(microbatches_per_update(plan, 0) == 12);
    CHECK(microbatches_per_update(plan, 1) == 12);
    plan.microbatches_per_update = 5;
    CHECK(microbatches_per_update(plan, 1) == 5);
  }
}

TEST_CASE("idle workers count neither for the microbatches of an update nor for its versions") {
  Plan plan = make_plan(Algorithm::gpipe, {1, 1}, {0, 0});
  plan.stages[1].workers = {3};
  plan.idle_workers = {1, 2};
  REQUIRE_NOTHROW(validate(plan));
  CHECK(microbatches_per_update(plan, 0) == 8);
  plan.algorithm = Algorithm::vertical_sync;
  plan.stages[0].warmup = 1;
  CHECK(stage_load(plan, 1).versions == 2);

  Plan replicated = make_plan(Algorithm::data_parallel, {2}, {0});
  replicated.stages[0].workers = {0, 2};
  replicated.idle_workers = {1};
  CHECK(microbatches_per_update(replicated, 0) == 2);
}

TEST_CASE("interleaved 1F1B: groups of p microbatches through each stage of the worker in turn") {
  const Plan plan = testing::interleaved_plan(2, 2, 4);
  // Worker 0: four forwards of warm-up, then pairs.
  CHECK(computes(plan, 4, 0) ==
        "F0.0@v0 F0.1@v0 F2.0@v0 F2.1@v0 F0.2@v0 B2.0@v0 F0.3@v0 B2.1@v0 F2.2@v0 B0.0@v0 F2.3@v0 B0.1@v0 "
        "B2.2@v0 B2.3@v0 B0.2@v0 B0.3@v0 U0.0x4@v1 U2.0x4@v1");
  // Worker 1: two.
  CHECK(computes(plan, 4, 1) ==
        "F1.0@v0 F1.1@v0 F3.0@v0 B3.0@v0 F3.1@v0 B3.1@v0 F1.2@v0 B1.0@v0 F1.3@v0 B1.1@v0 F3.2@v0 B3.2@v0 "
        "F3.3@v0 B3.3@v0 B1.2@v0 B1.3@v0 U1.0x4@v1 U3.0x4@v1");
  // A group of one microbatch at the end.
  CHECK(computes(plan, 5, 0) == computes(plan, 4, 0) + " F0.4@v1 F2.4@v1 B2.4@v1 B0.4@v1 U0.4@v2 U2.4@v2");
  CHECK(computes(plan, 3, 1) ==
        "F1.0@v0 F1.1@v0 F3.0@v0 B3.0@v0 F3.1@v0 B3.1@v0 F1.2@v0 B1.0@v0 B1.1@v0 F3.2@v0 B3.2@v0 B1.2@v0 "
        "U1.0x3@v1 U3.0x3@v1");
  CHECK(computes(plan, 3, 0, Pass::forward_only) == "F0.0@v0 F0.1@v0 F2.0@v0 F2.1@v0 F0.2@v0 F2.2@v0");
  CHECK(computes(plan, 2, 1, Pass::probe) == "F1.0@v0 F3.0@v0 B3.0@v0 B1.0@v0 F1.1@v0 F3.1@v0 B3.1@v0 B1.1@v0");
}

TEST_CASE("interleaved 1F1B with one group to an update passes all of it forward first") {
  CHECK(computes(testing::interleaved_plan(2, 2, 2), 2, 1) ==
        "F1.0@v0 F1.1@v0 F3.0@v0 F3.1@v0 B3.0@v0 B3.1@v0 B1.0@v0 B1.1@v0 U1.0x2@v1 U3.0x2@v1");
}

TEST_CASE("passes without updates stay at version 0") {
  const Plan plan = make_plan(Algorithm::pipedream, {2, 1}, {1, 0}, {1, 0});
  CHECK(computes(plan, 4, 0, Pass::forward_only) == "F0.0@v0 F0.2@v0");
  CHECK(computes(plan, 2, 2, Pass::forward_only) == "F1.0@v0 F1.1@v0");
  CHECK(computes(plan, 2, 2, Pass::probe) == "F1.0@v0 B1.0@v0 F1.1@v0 B1.1@v0");
  CHECK(computes(plan, 1, 1, Pass::probe).empty());
}

TEST_CASE("every worker names the versions of the table") {
  std::mt19937 generator(2);
  for (int n = 0; n < 300; ++n) {
    const Plan plan = testing::random_case(generator).plan;
    const std::int64_t microbatches = std::uniform_int_distribution<std::int64_t>(0, 40)(generator);
    std::map<std::pair<int, std::int64_t>, int> forwards, backwards;
    for (int worker = 0; worker < plan.workers(); ++worker) {
      std::map<int, std::int64_t> newest_of, covered_of;
      for (const int stage : plan.stages_of_worker(worker)) {
        covered_of[stage] = 0;
      }
      for (const Action& action : compute_actions(plan, {Pass::train, microbatches}, worker)) {
        const StagePlan& stage = plan.stages[static_cast<std::size_t>(action.stage)];
        const std::int64_t r = stage.replicas(), k = action.microbatch;
        std::int64_t& newest = newest_of[action.stage];
        if (action.kind == ActionKind::update) {
          CHECK(action.version == ++newest);
          CHECK(k == covered_of[action.stage]);
          covered_of[action.stage] += action.covers;
          continue;
        }
        CHECK(stage.workers[static_cast<std::size_t>(k % r)] == worker);
        (action.kind == ActionKind::forward ? forwards : backwards)[{action.stage, k}] += 1;
        CHECK(action.version <= newest);
        const StagePlan& first = plan.stages.front();
        const std::int64_t r0 = first.replicas();
        if (plan.algorithm == Algorithm::pipedream) {
          CHECK(action.version == std::max<std::int64_t>(0, k / r - stage.warmup - stage.reduce_delay));
        } else if (plan.algorithm == Algorithm::vertical_sync) {
          // The updates of the same first microbatches at every stage.
          const std::int64_t common = r0 * std::max<std::int64_t>(0, k / r0 - first.warmup - first.reduce_delay);
          CHECK(action.version == common / r);
        } else if (plan.algorithm == Algorithm::two_bw) {
          CHECK(action.version == std::max<std::int64_t>(0, k / microbatches_per_update(plan, 0) - 1));
        } else if (traits_of(plan.algorithm).overwrites) {
          const std::int64_t u = plan.microbatches_per_update > 0 ? plan.microbatches_per_update : r;
          const std::int64_t complete = r * std::max<std::int64_t>(0, k / r - stage.warmup);
          CHECK(action.version == (action.kind == ActionKind::forward ? complete : k) / u);
          CHECK(action.version == newest);
        } else {
          const std::int64_t m = plan.algorithm == Algorithm::model_parallel  ? 1
                                 : plan.microbatches_per_update > 0           ? plan.microbatches_per_update
                                 : plan.algorithm == Algorithm::data_parallel ? r
                                                                              : std::int64_t{4} * plan.workers();
          CHECK(action.version == k / m);
        }
      }
      for (const auto& [stage, covered] : covered_of) {
        CHECK(covered == microbatches);
      }
    }
    for (const auto* passes : {&forwards, &backwards}) {
      CHECK(passes->size() == plan.stages.size() * static_cast<std::size_t>(microbatches));
      for (const auto& [key, times] : *passes) {
        CHECK(times == 1);
      }
    }
  }
}

TEST_CASE("a worker that the plan does not have is an error") {
  CHECK_THROWS_WITH(compute_actions(testing::straight_pipedream(2), {Pass::train, 4}, 2),
                    "no stage of the plan has worker 2");
}

}  // namespace pipedream

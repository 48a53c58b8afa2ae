// Mutation twins: each compares a right run with a replay that makes one mistake, and must see the difference. A
// comparison that passes here with the mistake would pass with the same mistake in the runtime.
#include <catch2/catch.hpp>

#include "support/exactness.h"
#include "support/twins.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

ExactnessCase pipelined(TestModel model, const std::vector<int>& replicas, std::int64_t microbatches) {
  ExactnessCase example{.model = std::move(model), .plan = {}};
  example.plan = even_plan(example.model.graph, Algorithm::pipedream, replicas);
  example.segments = {microbatches};
  return example;
}

bool any_input_gradient_differs(const std::vector<WorkerRun>& runs, const Replay& mutated) {
  for (const WorkerRun& run : runs) {
    WorkerRun gradients_only = run;
    gradients_only.losses = mutated.losses();
    gradients_only.weights = mutated.weights();
    if (!difference(gradients_only, mutated).empty()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a version too new or too old in any stage is seen", "[mutation]") {
  for (const TestModel& model : model_families(kRows)) {
    const ExactnessCase example = pipelined(model, {1, 1, 1}, 9);
    const auto runs = run_workers(example);
    REQUIRE(difference(example, runs, replay(example)) == "");
    for (const int stage : {0, 1}) check_twin(example, runs, Mutation::newer_version, stage);
    for (const int stage : {0, 1, 2}) check_twin(example, runs, Mutation::older_version, stage);
  }
}

TEST_CASE("a backward on weights that were not restored is seen, in input gradients too", "[mutation]") {
  for (const TestModel& model : model_families(kRows)) {
    const ExactnessCase example = pipelined(model, {1, 1, 1}, 9);
    const auto runs = run_workers(example);
    for (const int stage : {0, 1}) check_twin(example, runs, Mutation::no_stash_restore, stage);
    const Replay mutated = replay(example, Mutation::no_stash_restore, 1);
    CHECK(any_input_gradient_differs(runs, mutated));
  }
}

TEST_CASE("draws of another microbatch are seen", "[mutation]") {
  for (const TestModel& model : {skip_model(kRows), conv_model(kRows), lstm_model(kRows)}) {
    const ExactnessCase example = pipelined(model, {1, 1}, 4);
    check_twin(example, run_workers(example), Mutation::wrong_seed);
  }
}

TEST_CASE("sums in the wrong order are seen", "[mutation]") {
  // Over consumers: no update here covers more than one microbatch.
  const ExactnessCase consumers = pipelined(branch_model(kRows), {1, 1}, 6);
  check_twin(consumers, run_workers(consumers), Mutation::reversed_sums);
  // Over three replicas, of a model whose tensors have one consumer each.
  const ExactnessCase replicas = pipelined(chain_model(kRows), {3, 1}, 9);
  check_twin(replicas, run_workers(replicas), Mutation::reversed_sums);
  // Over microbatches of one worker.
  ExactnessCase microbatches{.model = chain_model(kRows), .plan = {}};
  microbatches.plan = single_stage_plan(microbatches.model.graph.layer_names(), 1, Algorithm::data_parallel);
  microbatches.plan.microbatches_per_update = 3;
  check_twin(microbatches, run_workers(microbatches), Mutation::reversed_sums);
}

TEST_CASE("a learning rate that ignores replicas is seen", "[mutation]") {
  const ExactnessCase unequal = pipelined(chain_model(kRows), {2, 1}, 8);
  check_twin(unequal, run_workers(unequal), Mutation::no_rate_scale);
  // Equal ratios, but a last round that misses a replica.
  const ExactnessCase ragged = pipelined(chain_model(kRows), {2, 2}, 7);
  check_twin(ragged, run_workers(ragged), Mutation::no_rate_scale);
}

TEST_CASE("a wrong delay of the reduction is seen", "[mutation]") {
  ExactnessCase example = pipelined(chain_model(kRows), {2, 1}, 8);
  const auto runs = run_workers(example);
  REQUIRE(difference(example, runs, replay(example)) == "");
  example.plan.stages[0].reduce_delay = 1;
  CHECK(difference(example, runs, replay(example)) != "");
}

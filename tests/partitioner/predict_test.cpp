#include <catch2/catch.hpp>

#include "partitioner/memory_model.h"
#include "pipedream/partition.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

// chain_profile(4): forward 10, 11, 12, 13; backward 20, 22, 24, 26; parameters 1000, 2000, 3000, 4000.
Plan two_stages(int first_replicas = 1) {
  Plan plan;
  StagePlan first;
  first.layers = {"layer0", "layer1"};
  for (int q = 0; q < first_replicas; ++q) first.workers.push_back(q);
  first.warmup = 1;
  StagePlan second;
  second.layers = {"layer2", "loss"};
  second.workers = {first_replicas};
  plan.stages = {first, second};
  return plan;
}

}  // namespace

TEST_CASE("a straight pipeline: figures of the stages and what binds") {
  const Profile profile = chain_profile(4, 20);
  Plan plan = two_stages();
  predict(plan, profile, uniform_topology(2, 1e6));
  CHECK(plan.stages[0].prediction.forward_us == 21);
  CHECK(plan.stages[0].prediction.backward_us == 42);
  CHECK(plan.stages[0].prediction.allreduce_us == 0);
  CHECK(plan.stages[0].prediction.send_forward_bytes == 20);
  CHECK(plan.stages[0].prediction.send_backward_bytes == 0);
  CHECK(plan.stages[1].prediction.send_forward_bytes == 0);
  CHECK(plan.stages[1].prediction.send_backward_bytes == 20);
  CHECK(plan.stages[1].prediction.parameter_bytes == 7000);
  CHECK(plan.prediction.microbatch_us == 75);
  CHECK(plan.prediction.bound_by == "compute of stage 1");
  CHECK(plan.prediction.single_worker_us == 138);
  CHECK(plan.prediction.data_parallel_us == 10'000);  // 2 (2 - 1) * 10,000 bytes at 1 byte/us, for 2 microbatches
  CHECK(plan.prediction.best_straight_us == 75);
}

TEST_CASE("memory of a stage, term by term") {
  Profile profile = chain_profile(4, 20);
  profile.layers[0].buffer_bytes = 7;
  profile.layers[1].backward_peak_bytes = 4000;
  profile.layers[0].forward_peak_bytes = 400;
  Plan plan = two_stages();
  const Topology topology = uniform_topology(2, 1e6);
  predict(plan, profile, topology, 1);
  // Stage 0, depth 1: 2 versions and momentum; of the other microbatch 20 kept bytes and the tensor that is sent.
  // layer1 does not keep its input and layer0 not its output, so that tensor is not held. Three slots for gradients,
  // and as many for activations, of which two are in flight.
  const std::int64_t held = 3000 * (2 + 1) + 7 + (20 + 20) + 3 * 20 + 20;
  // When layer1's backward begins: kept bytes, the tensor that was sent and its gradient. It takes 4000.
  CHECK(plan.stages[0].prediction.memory_bytes == held + (10 + 10 + 20 + 20) + 4000);
  profile.layers[1].backward_peak_bytes = 0;
  predict(plan, profile, topology, 1);
  // When layer0's backward begins there are layer1's gradients, of which one is its own; it leaves 1000 for 30.
  CHECK(plan.stages[0].prediction.memory_bytes == held + (10 + 20 + 20 + 2000 + 20) + (1000 - 30));
  // Adam has twice the state, and makes two tensors like the greatest parameter.
  predict(plan, profile, topology, 2);
  CHECK(plan.stages[0].prediction.memory_bytes == held + 3000 + (3000 + 2 * 2000));
  // Stage 1: its three slots are for what comes in and for gradients that go back.
  CHECK(plan.stages[1].prediction.memory_bytes == 7000 * (1 + 2) + (7000 + 2 * 4000) + 3 * (20 + 20));
  profile.layers[0].keeps_output = true;
  predict(plan, profile, topology, 2);
  CHECK(plan.stages[0].prediction.memory_bytes == held + 20 + 3000 + (3000 + 2 * 2000));
  // Threads hand messages over.
  Topology threads = topology;
  threads.one_process = true;
  predict(plan, profile, threads, 2);
  CHECK(plan.stages[1].prediction.memory_bytes == 7000 * (1 + 2) + (7000 + 2 * 4000));
}

TEST_CASE("a flush costs the time of filling and draining once an update") {
  const Profile profile = chain_profile(4, 20);
  Plan plan = two_stages();
  plan.algorithm = Algorithm::flush_1f1b;
  plan.microbatches_per_update = 8;
  predict(plan, profile, uniform_topology(2, 1e15), 2);
  CHECK(plan.prediction.microbatch_us == Approx((7 * 75 + 63 + 75) / 8.0));
  CHECK(plan.prediction.bound_by == "compute of stage 1");
  // One version, the gradients so far, two more for the optimizer and what its step makes; 2 microbatches in flight,
  // under GPipe all 8, one of them at work and one gone when the gradients come. Slots: 3, under GPipe 2.
  CHECK(plan.stages[0].prediction.memory_bytes == 3000 * (1 + 1 + 2) + (20 + 20) + 2 * 2000 + 3 * 20 + 20);
  plan.algorithm = Algorithm::gpipe;
  plan.stages[0].warmup = 0;
  predict(plan, profile, uniform_topology(2, 1e15), 2);
  CHECK(plan.prediction.microbatch_us == Approx((7 * 75 + 63 + 75) / 8.0));
  CHECK(plan.stages[0].prediction.memory_bytes == 3000 * (1 + 1 + 2) + 6 * (20 + 20) + 2 * 2000 + 2 * 20);
}

TEST_CASE("interleaving shortens what a flush costs") {
  const Profile profile = chain_profile(4, 20);
  Plan plan;
  plan.algorithm = Algorithm::interleaved_1f1b;
  plan.microbatches_per_update = 8;
  for (int s = 0; s < 4; ++s) {
    StagePlan stage;
    stage.layers = {profile.layers[static_cast<std::size_t>(s)].name};
    stage.workers = {s % 2};
    plan.stages.push_back(stage);
  }
  predict(plan, profile, uniform_topology(2, 1e15), 2);
  // Worker 1 has 33 + 39 us of each microbatch, and waits for the 30 us of stage 0.
  CHECK(plan.prediction.microbatch_us == Approx((8 * 72 + 30) / 8.0));
  CHECK(plan.prediction.bound_by == "compute of worker 1");
  // Stage 0 holds the first two microbatches and those of the second group until its first backward.
  CHECK(plan.stages[0].prediction.memory_bytes == 1000 * (1 + 1 + 2) + 3 * (10 + 20) + 2 * 1000 + 3 * 20);
}

TEST_CASE("replicas: the reduction and its pending gradient") {
  const Profile profile = chain_profile(4, 20);
  Plan plan = two_stages(3);
  plan.stages[0].reduce_delay = 1;
  predict(plan, profile, uniform_topology(4, 1e8), 0);
  CHECK(plan.stages[0].prediction.allreduce_us == Approx(2 * 2 * 30));
  CHECK(plan.prediction.microbatch_us == 75);
  // Two sums of gradients, those of the microbatch at work, and the parts of the two others.
  CHECK(plan.stages[0].prediction.memory_bytes == 3000 * (2 + 2 + 1) + 2 * (20 + 20) + 4 * 20 + 2 * 1000);
  predict(plan, profile, uniform_topology(4, 1e7), 0);
  CHECK(plan.prediction.microbatch_us == Approx(2 * 2 * 300 / 3.0));
  CHECK(plan.prediction.bound_by == "all-reduce of stage 0");
  // A measured reduction counts instead of the formula: here each link carries 2 / 3 * 2 of the bytes at 10 bytes/us.
  Topology measured = uniform_topology(4, 1e7, 1000);
  measured.levels[0].allreduce_bytes_per_s = 1e7;
  predict(plan, profile, measured, 0);
  CHECK(plan.stages[0].prediction.allreduce_us == Approx(400));
}

TEST_CASE("a slow link binds") {
  Plan plan = two_stages();
  predict(plan, chain_profile(4, 100), uniform_topology(2, 1e6, 3));
  CHECK(plan.prediction.microbatch_us == 206);
  CHECK(plan.prediction.bound_by == "link from stage 0 to stage 1");
}

TEST_CASE("one microbatch at a time: all adds up") {
  Plan plan = two_stages();
  plan.algorithm = Algorithm::model_parallel;
  plan.stages[0].warmup = 0;
  predict(plan, chain_profile(4, 20), uniform_topology(2, 1e6));
  CHECK(plan.prediction.microbatch_us == 138 + 40);
  CHECK_THAT(plan.prediction.bound_by, Contains("compute"));
  CHECK(plan.stages[0].prediction.memory_bytes == 3000 * 3 + 20 + 20 + 2 * 20 + 20);
}

TEST_CASE("data parallelism shares the microbatches of an update") {
  const std::vector<std::string> layers = {"layer0", "layer1", "layer2", "loss"};
  const auto predicted = [&](std::int64_t update, double bandwidth) {
    Plan plan = single_stage_plan(layers, 2, Algorithm::data_parallel);
    plan.microbatches_per_update = update;
    predict(plan, chain_profile(4, 20), uniform_topology(2, bandwidth));
    return plan.prediction;
  };
  CHECK(predicted(0, 1e12).microbatch_us == 69);
  CHECK(predicted(4, 1e12).microbatch_us == 69);
  CHECK(predicted(3, 1e12).microbatch_us == 92);  // one replica computes 2 of 3
  CHECK(predicted(0, 1e6).microbatch_us == 10'000);
  CHECK(predicted(0, 1e6).bound_by == "all-reduce of stage 0");
  CHECK(predicted(400, 1e6).microbatch_us == 69);
}

TEST_CASE("a skip tensor: sent to each stage that uses it, over every cut between") {
  Profile profile = chain_profile(3, 10);
  profile.tensors[0].consumers = {"layer1", "loss"};
  profile.tensors[1].requires_gradient = false;
  Plan plan;
  for (int s = 0; s < 3; ++s) {
    StagePlan stage;
    stage.layers = {profile.layers[static_cast<std::size_t>(s)].name};
    stage.workers = {s};
    stage.warmup = 2 - s;
    plan.stages.push_back(stage);
  }
  predict(plan, profile, uniform_topology(3, 1e5));
  CHECK(plan.stages[0].prediction.send_forward_bytes == 20);
  CHECK(plan.stages[1].prediction.send_forward_bytes == 10);
  CHECK(plan.stages[1].prediction.send_backward_bytes == 10);
  CHECK(plan.stages[2].prediction.send_backward_bytes == 10);
  // Cut 1: the skip tensor and layer1's, which has no gradient: 20 forward, 10 backward.
  CHECK(plan.prediction.microbatch_us == 300);
  CHECK(plan.prediction.bound_by == "link from stage 1 to stage 2");
}

TEST_CASE("a plan that does not fit the profile or the topology is refused") {
  const Profile profile = chain_profile(4);
  const auto error = [&](auto change, int workers = 2) {
    Plan plan = two_stages();
    change(plan);
    return config_error([&] { predict(plan, profile, uniform_topology(workers, 1e6)); });
  };
  CHECK_THAT(error([](Plan& p) { p.stages[1].layers[0] = "other"; }), Contains("no layer \"other\""));
  CHECK_THAT(error([](Plan& p) { p.graph_hash = "fedcba"; }), Contains("made for model fedcba"));
  CHECK_THAT(error([](Plan&) {}, 1), Contains("the plan uses 2 workers, the topology has 1"));
}

TEST_CASE("memory sums stay below 2^63") {
  detail::StageFootprint footprint;
  footprint.parameter_bytes = std::int64_t{1} << 61;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto bytes = [&](int copies, const StageLoad& load) {
    return detail::memory_bytes(
        detail::memory_costs(footprint, {.gradient_copies = copies, .optimizer_state_factor = 0}), load);
  };
  CHECK(bytes(0, {11, 11}) == kMost);
  CHECK(bytes(1, {2, 2}) == 3 * footprint.parameter_bytes);
  CHECK(bytes(2, {2, 2}) == kMost);
}

// Costs from plan and profile, and what the simulator makes of them against the predictions.
#include <catch2/catch.hpp>

#include "pipedream/partition.h"
#include "pipedream/simulate.h"
#include "planning/support.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

// 12 layers over as many stages as there are replica counts, least depths.
Plan plan_of(Algorithm algorithm, const std::vector<int>& replicas, const Profile& profile) {
  Plan plan;
  plan.algorithm = algorithm;
  const auto warmup = default_warmup(replicas);
  int worker = 0;
  std::size_t layer = 0;
  for (std::size_t s = 0; s < replicas.size(); ++s) {
    StagePlan& stage = plan.stages.emplace_back();
    while (layer < profile.layers.size() * (s + 1) / replicas.size()) {
      stage.layers.push_back(profile.layers[layer++].name);
    }
    for (int q = 0; q < replicas[s]; ++q) stage.workers.push_back(worker++);
    stage.warmup = traits_of(algorithm).has_warmup ? warmup[s] : 0;
    stage.reduce_delay = traits_of(algorithm).delays_reduction && replicas[s] > 1 ? 1 : 0;
  }
  return plan;
}

SimulationReport simulated(const Plan& plan, const Profile& profile, const Topology& topology, double state_factor) {
  const Segment segment{Pass::train, 480};
  const Program program = make_program(plan, stage_links(plan, profile), segment);
  return simulate(program, plan, segment, simulation_costs(plan, profile, topology, state_factor));
}

}  // namespace

TEST_CASE("costs of stages and links") {
  Profile profile = chain_profile(4, 20);
  profile.layers[0].buffer_bytes = 7;
  profile.layers[1].backward_peak_bytes = 500;
  profile.tensors[0].consumers = {"layer1", "loss"};
  profile.tensors[1].requires_gradient = false;
  const Plan plan = plan_of(Algorithm::pipedream, {2, 1}, profile);
  const Topology topology = uniform_topology(3, 1e6, 5);
  const SimulationCosts costs = simulation_costs(plan, profile, topology, 2);
  REQUIRE(costs.stages.size() == 2);
  CHECK(costs.stages[0].forward_us == 21);
  CHECK(costs.stages[0].backward_us == 42);
  CHECK(costs.stages[0].version_bytes == 3000);
  CHECK(costs.stages[0].resident_bytes == 3000 * (2 + 2) + 7);                           // two gradients with the delay
  CHECK(costs.stages[0].transient_bytes == 2 * 2000 - costs.stages[0].in_flight_bytes);  // Adam's step
  CHECK(costs.stages[0].message_bytes == 3 * 20 + 40 + 1500);  // gradients, one sent activation, a part of a sum
  REQUIRE(costs.links.size() == 1);
  CHECK(costs.links[0].forward_bytes == 40);
  CHECK(costs.links[0].backward_bytes == 20);
  CHECK(costs.topology.levels[0].latency_us == 5);
  CHECK_THAT(config_error([&] { simulation_costs(plan, profile, uniform_topology(2, 1e6)); }),
             Contains("the plan uses 3 workers, the topology has 2"));
}

TEST_CASE("a stage that recomputes keeps what came in, and repeats its forward in its backward") {
  const Profile profile = chain_profile(4, 20);
  Plan plan = plan_of(Algorithm::pipedream, {1, 1}, profile);
  const Topology topology = uniform_topology(2, 1e6);
  const StageCosts kept = simulation_costs(plan, profile, topology).stages[1];
  plan.stages[1].recompute = true;
  const StageCosts repeated = simulation_costs(plan, profile, topology).stages[1];
  CHECK(repeated.forward_us == kept.forward_us);
  CHECK(repeated.backward_us == kept.backward_us + kept.forward_us);
  CHECK(repeated.in_flight_bytes == 20);  // of the one tensor that comes in
  CHECK(kept.in_flight_bytes > 20);
  CHECK(repeated.transient_bytes + 20 == kept.transient_bytes + kept.in_flight_bytes);
  CHECK(repeated.resident_bytes == kept.resident_bytes);
}

TEST_CASE("simulated against predicted: time where compute binds, memory always") {
  Profile profile = chain_profile(12, 1);
  profile.layers[3].forward_peak_bytes = 5000;
  const auto recomputing =
      GENERATE(std::vector<std::size_t>{}, std::vector<std::size_t>{1}, std::vector<std::size_t>{0, 1, 2});
  for (const Algorithm algorithm : {Algorithm::pipedream, Algorithm::two_bw, Algorithm::gpipe, Algorithm::flush_1f1b}) {
    for (const std::vector<int>& replicas : {std::vector<int>{1, 1, 1}, {3, 2, 1}, {1, 3, 2}}) {
      Plan plan = plan_of(algorithm, replicas, profile);
      for (const std::size_t stage : recomputing) plan.stages[stage].recompute = true;
      const Topology topology = uniform_topology(plan.workers(), 1e12);
      predict(plan, profile, topology, 1);
      const SimulationReport report = simulated(plan, profile, topology, 1);
      INFO(to_json(plan));
      // The formula for flushes leaves out how stages of different speed wait for each other.
      const double slack = traits_of(algorithm).flushes ? 0.1 : 0.01;
      CHECK(report.microbatch_us == Approx(plan.prediction.microbatch_us).epsilon(slack));
      for (const StagePlan& stage : plan.stages) {
        for (const int worker : stage.workers) {
          CHECK(report.workers[static_cast<std::size_t>(worker)].peak_bytes == stage.prediction.memory_bytes);
        }
      }
    }
  }
}

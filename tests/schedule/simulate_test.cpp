// Simulated times against closed forms; what is counted against the validator.
#include "pipedream/simulate.h"

#include <catch2/catch.hpp>
#include <ctime>
#include <iostream>

#include "costs.h"
#include "pipedream/error.h"
#include "pipedream/validate.h"

namespace pipedream {
namespace {

using testing::chain_links;
using testing::kStageUs;
using testing::make_plan;
using testing::RandomCase;
using testing::unit_costs;

SimulationReport simulated(const Plan& plan, const Segment& segment, const SimulationCosts& costs,
                           const SimulationOptions& options = {}) {
  std::vector<StageLink> links;
  for (const LinkCosts& link : costs.links) links.push_back({link.from, link.to, link.backward_bytes > 0});
  const Program program = make_program(plan, links, segment);
  return simulate(program, plan, segment, costs, options);
}

// Stage times a microbatch, in the steady state.
double period(const Plan& plan, double transfer = 0, std::int64_t microbatches = 480) {
  const SimulationCosts costs = unit_costs(plan, chain_links(plan), transfer * kStageUs);
  return simulated(plan, {Pass::train, microbatches}, costs).microbatch_us / kStageUs;
}

}  // namespace

TEST_CASE("asynchronous pipelines of least depth reach the bound where communication takes no time") {
  for (const std::vector<int>& replicas : {std::vector<int>{1}, {1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}}) {
    CHECK(period(make_plan(Algorithm::pipedream, replicas, testing::least_warmup(replicas))) == Approx(1));
  }
  for (const std::vector<int>& replicas : {std::vector<int>{4, 3, 1}, {1, 4, 1}, {3, 2, 3}}) {
    const std::vector<int> delay = {replicas[0] > 1, replicas[1] > 1, replicas[2] > 1};
    INFO(replicas[0] << " " << replicas[1] << " " << replicas[2]);
    CHECK(period(make_plan(Algorithm::pipedream, replicas, testing::least_warmup(replicas), delay)) ==
          Approx(1).epsilon(0.01));
  }
}

// Their depths: ceil((r_s + ... + r_{S-1}) / r_s) - 1. Figures from docs/algorithms.md.
TEST_CASE("the depths of the released PipeDream are too little where replicas differ") {
  CHECK(1 / period(make_plan(Algorithm::pipedream, {4, 3, 1}, {1, 1, 0}, {1, 1, 0})) == Approx(0.72).margin(0.01));
  CHECK(1 / period(make_plan(Algorithm::pipedream, {4, 3, 1}, {1, 1, 0}, {0, 0, 0})) == Approx(0.44).margin(0.01));
  CHECK(1 / period(make_plan(Algorithm::pipedream, {1, 4, 1}, {5, 1, 0}, {0, 1, 0})) == Approx(0.40).margin(0.01));
}

// F + B of the stages before the last may overlap 2 (S - 1) transfers for S microbatches in flight.
TEST_CASE("straight pipelines of least depth pay 2 (S - 1) / S of a transfer, of twice that depth nothing") {
  for (const int stages : {2, 3, 4, 8}) {
    for (const double transfer : {0.05, 0.1, 0.3}) {
      Plan plan = testing::straight_pipedream(stages);
      INFO(stages << " stages, transfers of " << transfer);
      CHECK(period(plan, transfer) == Approx(1 + 2 * (stages - 1) * transfer / stages).epsilon(0.005));
      for (StagePlan& stage : plan.stages) stage.warmup *= 2;
      CHECK(period(plan, transfer) == Approx(1).epsilon(0.005));
    }
  }
}

TEST_CASE("a worker without a stage does nothing and holds up nobody") {
  const Plan full = testing::straight_pipedream(3);
  Plan plan = full;
  plan.stages[1].workers = {3};
  plan.idle_workers = {1};
  const Segment segment{Pass::train, 40};
  const SimulationReport report = simulated(plan, segment, unit_costs(plan, chain_links(plan)));
  CHECK(report.microbatch_us == simulated(full, segment, unit_costs(full, chain_links(full))).microbatch_us);
  REQUIRE(report.workers.size() == 4);
  CHECK(report.workers[1].compute_us == 0);
  CHECK(report.workers[1].peak_bytes == 0);
}

TEST_CASE("what workers hold is what the validator counts") {
  std::mt19937 generator(5);
  for (int i = 0; i < 300; ++i) {
    const RandomCase c = testing::random_case(generator);
    for (const Pass pass : {Pass::train, Pass::forward_only, Pass::probe}) {
      Segment segment{pass, std::uniform_int_distribution<int>(0, 40)(generator)};
      if (c.plan.algorithm == Algorithm::two_bw) segment.microbatches *= microbatches_per_update(c.plan, 0);
      const Program program = make_program(c.plan, c.links, segment);
      const ValidationReport counted = validate(program, c.plan, c.links, segment);
      const SimulationReport report = simulate(program, c.plan, segment, unit_costs(c.plan, c.links, 100));
      std::int64_t actions = 0;
      for (std::size_t w = 0; w < program.workers.size(); ++w) {
        REQUIRE(report.workers[w].peak_versions == counted.peak_versions[w]);
        REQUIRE(report.workers[w].peak_in_flight == counted.peak_in_flight[w]);
        actions += program.workers[w].size();
      }
      REQUIRE(report.actions == actions);
    }
  }
}

TEST_CASE("weight copies, activations and bytes of each stage") {
  SimulationCosts costs = unit_costs(testing::straight_pipedream(4), chain_links(testing::straight_pipedream(4)));
  for (StageCosts& stage : costs.stages) {
    stage.version_bytes = 1000;
    stage.in_flight_bytes = 10;
    stage.resident_bytes = 100'000;
    stage.forward_transient_bytes = stage.backward_transient_bytes = stage.update_transient_bytes = 1;
  }
  costs.topology.one_process = true;
  const auto workers = [&](Algorithm algorithm, const std::vector<int>& warmup) {
    Plan plan = make_plan(algorithm, {1, 1, 1, 1}, warmup);
    if (traits_of(algorithm).chooses_update) plan.microbatches_per_update = 8;
    return simulated(plan, {Pass::train, 32}, costs).workers;
  };
  const auto pipedream = workers(Algorithm::pipedream, {3, 2, 1, 0});
  const auto gpipe = workers(Algorithm::gpipe, {});
  const auto flush = workers(Algorithm::flush_1f1b, {3, 2, 1, 0});
  for (int s = 0; s < 4; ++s) {
    const auto w = static_cast<std::size_t>(s);
    CHECK(pipedream[w].peak_versions == 4 - s);
    CHECK(pipedream[w].peak_in_flight == 4 - s);
    // At the update, with the gradient; and at backwards that add to a gradient, the second of all for gpipe.
    CHECK(pipedream[w].peak_bytes == 101'001 + 1000 * (4 - s) + 10 * (3 - s));
    CHECK(gpipe[w].peak_bytes == 102'001 + 10 * 7);
    CHECK(flush[w].peak_bytes == 102'001 + 10 * (4 - s));
  }
}

TEST_CASE("a recorded timeline has the figures of the report") {
  const Plan plan = make_plan(Algorithm::pipedream, {2, 3, 1}, testing::least_warmup({2, 3, 1}), {1, 0, 0});
  const SimulationCosts costs = unit_costs(plan, chain_links(plan), 700);
  const Segment segment{Pass::train, 50};
  const SimulationReport report = simulated(plan, segment, costs, {.record = true});
  const TimelineFigures figures = summarize(report.timeline, plan);
  CHECK(figures.microbatch_us <= report.microbatch_us);
  CHECK(figures.microbatch_us == Approx(report.microbatch_us).epsilon(0.02));
  CHECK(figures.span_us == Approx(report.total_us));
  CHECK(figures.bubble == Approx(report.bubble));
  std::int64_t events = 0;
  for (std::size_t w = 0; w < report.workers.size(); ++w) {
    const SimulatedWorker& worker = report.workers[w];
    const auto& timeline = report.timeline.workers[w];
    CHECK(figures.utilisation[w] == Approx(report.utilisation[w]));
    // A worker computes or waits.
    const double waiting =
        worker.activation_wait_us + worker.gradient_wait_us + worker.reduction_wait_us + worker.send_wait_us;
    CHECK(static_cast<double>(timeline.back().end_ns) == Approx(1000 * (worker.compute_us + waiting)));
    events += static_cast<std::int64_t>(timeline.size());
  }
  CHECK(events == report.actions);
  CHECK(simulated(plan, segment, costs).timeline.workers.empty());
}

TEST_CASE("updates and posts take their time") {
  const Plan plan = testing::straight_pipedream(1);
  SimulationCosts costs = unit_costs(plan, {});
  costs.stages[0].update_us = 500;
  CHECK(simulated(plan, {Pass::train, 10}, costs).total_us == Approx(10 * (kStageUs + 500)));
  const Plan two = make_plan(Algorithm::model_parallel, {1, 1});
  costs = unit_costs(two, chain_links(two));
  costs.post_us = 7;
  // Of the 2 receives posted ahead at first one counts, those that follow stand before the compute; 2 sends.
  const SimulationReport report = simulated(two, {Pass::train, 1}, costs);
  CHECK(report.total_us == Approx(2 * kStageUs + 7 + 2 * 7));
}

TEST_CASE("what limits a run is named") {
  const Plan plan = testing::straight_pipedream(3);
  SimulationCosts costs = unit_costs(plan, chain_links(plan), 100);
  costs.stages[1].backward_us *= 2;
  const Segment segment{Pass::train, 200};
  SimulationReport report = simulated(plan, segment, costs);
  CHECK(report.bound_us == Approx(kStageUs * 5 / 3));
  CHECK(report.bound_by == "compute of stage 1");
  CHECK(report.limited_by == report.bound_by);
  costs = unit_costs(plan, chain_links(plan), 500);
  CHECK(simulated(plan, segment, costs).limited_by == "gradients that stage 0 waits for");
  costs.links[1].backward_bytes *= 10;
  report = simulated(plan, segment, costs);
  CHECK(report.bound_us == Approx(5000 + 500));  // its activations come in over the same link
  CHECK(report.bound_by == "incoming link of worker 1");
  const Plan replicated = make_plan(Algorithm::data_parallel, {2});
  report = simulated(replicated, segment, unit_costs(replicated, {}, 9000));
  CHECK(report.bound_by == "all-reduce of stage 0");
  CHECK(report.limited_by == "reductions that stage 0 waits for");
}

TEST_CASE("costs that do not fit and programs that cannot end are refused") {
  const Plan plan = testing::straight_pipedream(2);
  const auto links = chain_links(plan);
  const Segment segment{Pass::train, 4};
  const auto refused = [&](auto change, const std::string& message) {
    Program program = make_program(plan, links, segment);
    SimulationCosts costs = unit_costs(plan, links, 100);
    change(program, costs);
    CHECK_THROWS_WITH(simulate(program, plan, segment, costs), Catch::Contains(message));
    CHECK_THROWS_AS(simulate(program, plan, segment, costs), ConfigError);
  };
  refused([](Program&, SimulationCosts& c) { c.stages.pop_back(); }, "costs of 1 stages for a plan of 2");
  refused([](Program&, SimulationCosts& c) { c.stages[1].backward_us = -1; }, "costs of stage 1: backward_us");
  refused([](Program&, SimulationCosts& c) { c.links[0].to = 2; }, "from stage 0 to stage 2: the plan has 2 stages");
  refused([](Program&, SimulationCosts& c) { c.links.clear(); }, "no costs of a link");
  refused([](Program&, SimulationCosts& c) { c.topology.levels[0].count = 1; }, "uses 2 workers, the topology has 1");
  refused([](Program& p, SimulationCosts&) { p.workers.pop_back(); }, "a program of 1 workers");
  refused([](Program& p, SimulationCosts&) { p.workers[1] = {}; }, "worker 0 waits for ever at action");
}

// schedule_tests "[.benchmark]"
TEST_CASE("simulator: actions a second", "[.benchmark]") {
  const Plan plan = testing::straight_pipedream(1024);
  const Segment segment{Pass::train, 1024};
  const Program program = make_program(plan, chain_links(plan), segment);
  for (const double transfer : {0.0, 0.1, 0.4}) {
    const SimulationCosts costs = unit_costs(plan, chain_links(plan), transfer * kStageUs);
    const std::clock_t start = std::clock();
    const SimulationReport report = simulate(program, plan, segment, costs);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::cout << "transfers of " << transfer << " stage times: " << report.actions << " actions, "
              << static_cast<double>(report.actions) / seconds / 1e6 << " million in a second of processor time\n";
  }
}

}  // namespace pipedream

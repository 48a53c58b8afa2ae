#include "pipedream/plan.h"

#include <limits>

#include "support.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::Equals;

namespace {

// Stages of two layers each: "l0", "l1" | "l2", "l3" | ...
Plan plan_of(const std::vector<int>& replicas, Algorithm algorithm = Algorithm::pipedream) {
  Plan plan;
  plan.algorithm = algorithm;
  int layer = 0;
  int worker = 0;
  for (const int count : replicas) {
    StagePlan stage;
    for (int i = 0; i < 2; ++i) stage.layers.push_back("l" + std::to_string(layer++));
    for (int q = 0; q < count; ++q) stage.workers.push_back(worker++);
    plan.stages.push_back(stage);
  }
  if (algorithm == Algorithm::pipedream) {
    const auto warmup = default_warmup(replicas);
    for (std::size_t s = 0; s < warmup.size(); ++s) plan.stages[s].warmup = warmup[s];
  }
  return plan;
}

template <class Change>
std::string error_after(Change change, Plan plan = plan_of({2, 1, 1})) {
  REQUIRE_NOTHROW(validate(plan));
  change(plan);
  return config_error([&] { validate(plan); });
}

std::vector<LayerEdges> chain_layers(int count) {
  std::vector<LayerEdges> layers;
  for (int i = 0; i < count; ++i) {
    LayerEdges layer{"l" + std::to_string(i), {}};
    if (i > 0) layer.producers.push_back("l" + std::to_string(i - 1));
    layers.push_back(layer);
  }
  return layers;
}

template <class Change>
std::string model_error_after(Change change) {
  Plan plan = plan_of({1, 1});
  auto layers = chain_layers(4);
  REQUIRE_NOTHROW(validate_against_layers(plan, layers));
  change(plan, layers);
  return config_error([&] { validate_against_layers(plan, layers); });
}

}  // namespace

TEST_CASE("default warm-up depths") {
  const auto depths = [](const std::vector<int>& replicas) { return default_warmup(replicas); };
  CHECK(depths({}).empty());
  CHECK(depths({3}) == std::vector<int>{0});
  CHECK(depths({1, 1, 1, 1}) == std::vector<int>{3, 2, 1, 0});
  CHECK(depths({2, 1}) == std::vector<int>{1, 0});
  CHECK(depths({1, 2}) == std::vector<int>{2, 0});
  CHECK(depths({4, 3, 1}) == std::vector<int>{2, 1, 0});
  CHECK(depths({1, 4, 1}) == std::vector<int>{8, 1, 0});
  CHECK_THAT(config_error([] { default_warmup(std::vector<int>{1, 0}); }), Contains("stage 1 has 0 replicas"));
}

TEST_CASE("every default depth is valid") {
  for (int a = 1; a <= 5; ++a) {
    for (int b = 1; b <= 5; ++b) {
      for (int c = 1; c <= 5; ++c) CHECK_NOTHROW(validate(plan_of({a, b, c})));
    }
  }
}

TEST_CASE("workers and their stages") {
  const Plan plan = plan_of({2, 1, 3});
  CHECK(plan.workers() == 6);
  CHECK(plan.stages_of_worker(0) == std::vector<int>{0});
  CHECK(plan.stages_of_worker(2) == std::vector<int>{1});
  CHECK(plan.stages_of_worker(5) == std::vector<int>{2});
  CHECK(plan.stages_of_worker(6).empty());
  CHECK(plan.stages_of_worker(-1).empty());
}

TEST_CASE("a plan that cannot be is refused with stage and field") {
  CHECK_THAT(error_after([](Plan& p) { p.stages.clear(); }), Equals("stages: the plan has none"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[1].layers.clear(); }), Equals("stages[1].layers: the stage is empty"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[1].layers[0] = ""; }), Contains("stages[1].layers[0]"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[2].layers[1] = "l0"; }),
             Equals("stages[2].layers[1]: layer \"l0\" is already in stage 0"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[1].workers.clear(); }),
             Equals("stages[1].workers: the stage has no worker"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[1].workers[0] = 1; }),
             Equals("stages[1].workers[0]: worker 1 is already in stage 0; under pipedream a worker has one place"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[2].workers[0] = 4; }),
             Contains("found worker 4, but the plan's 4 workers are numbered 0 to 3"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[2].workers[0] = -1; }), Contains("found worker -1"));
}

TEST_CASE("interleaved stages take their workers in turn") {
  const auto interleaved = [](const std::vector<int>& workers) {
    Plan plan = plan_of(std::vector<int>(workers.size(), 1), Algorithm::interleaved_1f1b);
    for (std::size_t s = 0; s < workers.size(); ++s) plan.stages[s].workers = {workers[s]};
    return plan;
  };
  const Plan plan = interleaved({0, 1, 2, 0, 1, 2});
  CHECK_NOTHROW(validate(plan));
  CHECK(plan.workers() == 3);
  CHECK(plan.stages_of_worker(1) == std::vector<int>{1, 4});
  CHECK_NOTHROW(validate(interleaved({1, 0, 1, 0})));
  CHECK_NOTHROW(validate(interleaved({0, 1, 2})));
  CHECK_NOTHROW(validate(interleaved({0, 0, 0})));
  const auto error = [&](const std::vector<int>& workers) {
    return config_error([&] { validate(interleaved(workers)); });
  };
  CHECK_THAT(error({0, 1, 1, 0}),
             Equals("stages[2].workers[0]: worker 1 is already in stage 1; interleaved-1f1b takes its workers in turn, "
                    "from worker 0 on"));
  CHECK_THAT(
      error({0, 1, 2, 0, 2, 1}),
      Equals("stages[4].workers[0]: found worker 2, but interleaved-1f1b takes its 3 workers in turn: this stage "
             "is for worker 1"));
  CHECK_THAT(error({0, 1, 0}),
             Equals("stages: interleaved-1f1b has as many on each worker, found 3 on 2 workers; 2 or 4 would do"));
  CHECK_THAT(error({0, 2, 0, 2}),
             Equals("stages[1].workers[0]: found worker 2, but the plan's 2 workers are numbered 0 to 1"));
  CHECK_THAT(error({0, -1}), Contains("found worker -1"));
  const auto error_of = [&](const auto& change) { return error_after(change, plan); };
  CHECK_THAT(error_of([](Plan& p) {
               p.stages[1].workers = {1, 3};
             }),
             Equals("stages[1].workers: interleaved-1f1b has no replicas, found 2 workers"));
  CHECK_THAT(error_of([](Plan& p) { p.stages[1].workers.clear(); }), Contains("the stage has no worker"));
  CHECK_THAT(error_of([](Plan& p) { p.stages[1].warmup = 1; }), Contains("must be 0 under interleaved-1f1b, found 1"));
  CHECK_THAT(error_of([](Plan& p) { p.microbatches_per_update = 4; }),
             Equals("microbatches_per_update: 4 is no multiple of the 3 workers; 6 would do"));
  CHECK_THAT(error_of([](Plan& p) { p.algorithm = Algorithm::gpipe; }),
             Equals("stages[3].workers[0]: worker 0 is already in stage 0; under gpipe a worker has one place"));
  const Plan read = parse_plan(to_json(plan), "plan.json");
  CHECK(read.stages[5].workers == std::vector<int>{2});
  CHECK(read.stages[5].warmup == 0);
}

TEST_CASE("warm-up and reduce_delay are checked") {
  CHECK_THAT(error_after([](Plan& p) { p.stages[0].warmup = -1; }), Contains("stages[0].warmup: must not be negative"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[2].warmup = 1; }), Contains("stages[2].warmup: must be 0 in the last"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[1].warmup = 5; }), Contains("stages[0].warmup: 1 is too little") &&
                                                                       Contains("only 3 microbatches out") &&
                                                                       Contains("waits for 6"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[0].reduce_delay = 2; }), Contains("must be 0 or 1, found 2"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[1].reduce_delay = 1; }), Contains("one replica"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[0].warmup = 1; }, plan_of({1, 1}, Algorithm::model_parallel)),
             Contains("must be 0 under model-parallel"));
  CHECK_THAT(error_after([](Plan& p) { p.stages[0].reduce_delay = 1; }, plan_of({2}, Algorithm::data_parallel)),
             Contains("must be 0 under data-parallel"));
  Plan deep = plan_of({2, 1, 1});
  deep.stages[0].warmup = 7;
  deep.stages[1].warmup = 3;
  deep.stages[0].reduce_delay = 1;
  CHECK_NOTHROW(validate(deep));
}

TEST_CASE("a depth that a stage two further on cannot be fed from is refused") {
  Plan plan = plan_of({2, 4, 3, 1});
  const int depths[] = {0, 0, 1, 0};  // each next stage is content, stage 2 waits for 4 and stage 0 lets 2 out
  for (std::size_t s = 0; s < 4; ++s) {
    plan.stages[s].warmup = depths[s];
    plan.stages[s].reduce_delay = plan.stages[s].replicas() > 1 ? 1 : 0;
  }
  CHECK_THAT(config_error([&] { validate(plan); }),
             Contains("stages[0].warmup: 0 is too little") && Contains("stage 2 ("));
}

TEST_CASE("the algorithm bounds the shape") {
  CHECK_THAT(
      error_after([](Plan& p) { p.algorithm = Algorithm::data_parallel; }, plan_of({1, 1}, Algorithm::model_parallel)),
      Contains("data-parallel has exactly one, found 2"));
  CHECK_THAT(
      error_after([](Plan& p) { p.algorithm = Algorithm::model_parallel; }, plan_of({2}, Algorithm::data_parallel)),
      Contains("model-parallel has no replicas, found 2 workers"));
  CHECK_THAT(error_after([](Plan& p) { p.microbatches_per_update = 2; }), Contains("leave it 0, found 2"));
  CHECK_THAT(error_after([](Plan& p) { p.microbatches_per_update = -1; }), Contains("must not be negative"));
  CHECK_THAT(error_after([](Plan& p) { p.microbatches_per_update = 2; }, plan_of({1, 1}, Algorithm::model_parallel)),
             Contains("always 1 under model-parallel"));
  Plan bsp = plan_of({2}, Algorithm::data_parallel);
  bsp.microbatches_per_update = 6;
  CHECK_NOTHROW(validate(bsp));
  CHECK_THAT(error_after([](Plan& p) { p.prediction.microbatch_us = std::numeric_limits<double>::quiet_NaN(); }),
             Contains("prediction.microbatch_us"));
}

TEST_CASE("a plan is held against the model") {
  CHECK_THAT(model_error_after([](Plan& p, auto&) { p.stages[1].layers[0] = "l9"; }),
             Equals("stages[1].layers[0]: the model has no layer \"l9\""));
  CHECK_THAT(model_error_after([](Plan& p, auto&) { p.stages[1].layers.erase(p.stages[1].layers.begin()); }),
             Equals("stages: the model's layer \"l2\" is in no stage"));
  CHECK_THAT(model_error_after([](Plan& p, auto&) { std::swap(p.stages[0].layers[0], p.stages[0].layers[1]); }),
             Equals("stages[0].layers[1]: \"l0\" must stand before \"l1\", as in the model"));
  CHECK_THAT(model_error_after([](Plan& p, auto&) { std::swap(p.stages[0].layers[1], p.stages[1].layers[0]); }),
             Equals("stages: layer \"l2\" in stage 0 uses \"l1\" of the later stage 1"));
  CHECK_THAT(model_error_after([](Plan&, auto& layers) { layers[3].producers = {"l9"}; }), Contains("unknown layer"));
  CHECK_THAT(model_error_after([](Plan&, auto& layers) { layers[1].name = "l0"; }),
             Contains("two layers named \"l0\""));
  CHECK_THAT(model_error_after([](Plan&, auto& layers) { layers.clear(); }), Contains("no layers"));
}

TEST_CASE("stages may cut the graph across its order, but the loss is last") {
  // l0 and l1 are two inputs; l2 joins them; l3 is the loss.
  std::vector<LayerEdges> layers = {{"l0", {}}, {"l1", {}}, {"l2", {"l0", "l1"}}, {"l3", {"l2"}}};
  Plan plan = plan_of({1, 1});
  plan.stages[0].layers = {"l1"};
  plan.stages[1].layers = {"l0", "l2", "l3"};
  CHECK_NOTHROW(validate_against_layers(plan, layers));
  layers[3].producers = {};
  plan.stages[0].layers = {"l1", "l3"};
  plan.stages[1].layers = {"l0", "l2"};
  CHECK_THAT(config_error([&] { validate_against_layers(plan, layers); }),
             Equals("stages: the loss, layer \"l3\", is in stage 0; it must be in the last, stage 1"));
}

TEST_CASE("algorithm names come back") {
  for (const Algorithm algorithm : all_algorithms()) CHECK(parse_algorithm(to_string(algorithm)) == algorithm);
  CHECK(all_algorithms().size() == 10);
}

TEST_CASE("single_stage_plan runs everything on each worker") {
  const std::vector<std::string> layers = {"a", "b"};
  const Plan plan = single_stage_plan(layers, 3, Algorithm::data_parallel);
  REQUIRE(plan.stages.size() == 1);
  CHECK(plan.stages[0].layers == layers);
  CHECK(plan.stages[0].workers == std::vector<int>{0, 1, 2});
  CHECK(plan.algorithm == Algorithm::data_parallel);
  CHECK_THAT(config_error([&] { single_stage_plan(layers, 0, Algorithm::pipedream); }), Contains("at least 1 worker"));
  CHECK_THAT(config_error([&] { single_stage_plan(layers, 2, Algorithm::model_parallel); }), Contains("no replicas"));
}

TEST_CASE("a placement has a server and a device for each worker") {
  const auto with = [](std::vector<int> servers, std::vector<int> devices) {
    return error_after([&](Plan& plan) { plan.placement = {std::move(servers), std::move(devices)}; });
  };
  Plan placed = plan_of({2, 1, 1});
  placed.placement = {{0, 0, 1, 1}, {0, 1, 0, 1}};
  CHECK_NOTHROW(validate(placed));
  CHECK(parse_plan(to_json(placed), "text").placement.servers == std::vector<int>{0, 0, 1, 1});
  CHECK(parse_plan(to_json(placed), "text").placement.devices == std::vector<int>{0, 1, 0, 1});
  CHECK_THAT(with({0, 0}, {0, 1, 0, 1}), Equals("placement.servers: found 2 for the plan's 4 workers"));
  CHECK_THAT(with({0, 0, 1, 1}, {}), Equals("placement.devices: found 0 for the plan's 4 workers"));
  CHECK_THAT(with({0, 0, 1, 1}, {0, 1, -2, 1}), Equals("placement.devices[2]: must not be negative, found -2"));
}

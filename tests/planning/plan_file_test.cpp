#include "pipedream/plan.h"
#include "support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::Equals;

TEST_CASE("a plan file comes back as it was written") {
  const ScratchFolder folder;
  Plan plan;
  plan.algorithm = Algorithm::pipedream;
  plan.stages = {{.layers = {"a", "b"}, .workers = {0, 1}, .prediction = {}},
                 {.layers = {"c"}, .workers = {2}, .prediction = {}}};
  plan.graph_hash = "abc";
  plan.stages[0].warmup = 5;
  plan.stages[0].reduce_delay = 1;
  plan.stages[1].prediction = {1.5, 2.5, 3.5, 4, 5, 6, 7};
  plan.prediction = {1, 2, 3, 4.25, "compute of stage 1"};
  write_plan(plan, folder / "plan.json");
  const Plan read = read_plan(folder / "plan.json");
  CHECK(to_json(read) == to_json(plan));
  CHECK(read.algorithm == Algorithm::pipedream);
  CHECK(read.graph_hash == "abc");
  CHECK(read.stages[0].layers == plan.stages[0].layers);
  CHECK(read.stages[0].workers == std::vector<int>{0, 1});
  CHECK(read.stages[0].warmup == 5);
  CHECK(read.stages[0].reduce_delay == 1);
  CHECK(read.stages[1].prediction.allreduce_us == 3.5);
  CHECK(read.stages[1].prediction.memory_bytes == 7);
  CHECK(read.prediction.best_straight_us == 4.25);
  CHECK(read.prediction.bound_by == "compute of stage 1");
}

TEST_CASE("a plan written by hand may leave out what has a default") {
  const std::string text = R"({
    "format": "pipedream-plan", "version": 1, "algorithm": "pipedream",
    "stages": [
      {"layers": ["a"], "workers": [0]},
      {"layers": ["b"], "workers": [1, 2], "warmup": 3},
      {"layers": ["c"], "workers": [3]}
    ]})";
  const Plan plan = parse_plan(text, "hand.json");
  CHECK(plan.stages[2].warmup == 0);
  CHECK(plan.stages[1].warmup == 3);
  CHECK(plan.stages[0].warmup == 8);  // two replicas with 3 + 1 each
  CHECK(plan.stages[1].reduce_delay == 0);
  CHECK(plan.graph_hash.empty());
  CHECK(plan.prediction.microbatch_us == 0);
}

TEST_CASE("reading a plan names file and field") {
  const auto error = [](const std::string& stage, const std::string& algorithm = "pipedream") {
    const std::string text =
        R"({"format": "pipedream-plan", "version": 1, "algorithm": ")" + algorithm + R"(", "stages": [)" + stage + "]}";
    return config_error([&] { parse_plan(text, "plan.json"); });
  };
  CHECK_THAT(error(R"({"layers": [], "workers": [0]})"), Equals("plan.json: stages[0].layers: the stage is empty"));
  CHECK_THAT(error(R"({"layers": ["a"], "workers": []})"),
             Equals("plan.json: stages[0].workers: the stage has no worker"));
  CHECK_THAT(error(R"({"layers": ["a"], "workers": [0, "b"]})"),
             Equals("plan.json: stages[0].workers[1]: must be a whole number, found \"b\""));
  CHECK_THAT(error(R"({"layers": ["a"], "workers": [0], "depth": 1})"), Contains("stages[0]: unknown field \"depth\""));
  CHECK_THAT(error(R"({"layers": ["a"], "workers": [0]})", "magic"),
             Equals("plan.json: algorithm: unknown algorithm \"magic\" (known: " + algorithm_names() + ")"));
}

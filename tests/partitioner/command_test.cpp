#include "call.h"
#include "pipedream/partition.h"
#include "planning/atomic_file.h"
#include "planning/support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::StartsWith;

namespace {

// A folder with profile.json (links measured between 2 workers, 1 MB/s) and alone.json (no links).
struct Fixture {
  ScratchFolder folder;
  std::string profile = folder / "profile.json";
  std::string alone = folder / "alone.json";
  std::string plan = folder / "plan.json";

  Fixture() {
    Profile measured = chain_profile(6, 20);
    write_profile(measured, alone);
    measured.topology = uniform_topology(2, 1e6, 3);
    write_profile(measured, profile);
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "plan prints a table, writes the plan and show prints it again") {
  const Outcome made = call({"plan", profile, "--straight", "-o", plan});
  CHECK(made.err.empty());
  REQUIRE(made.code == 0);
  CHECK_THAT(made.out, StartsWith("pipedream: 2 stages on 2 workers, for model 0123456789abcdef\n"));
  CHECK_THAT(made.out, Contains("layer0 .. layer2 (3)"));
  CHECK_THAT(made.out, Contains("layer3 .. loss (3)"));
  CHECK_THAT(made.out, Contains("bound by compute of stage 1"));
  CHECK_THAT(made.out, Contains("best straight plan") && Contains("1.00 x"));
  CHECK_THAT(made.out, Contains("1.00 MB/s, latency 3 us (measured)"));
  CHECK_THAT(made.out, Contains("written to " + plan));
  const Plan read = read_plan(plan);
  CHECK(to_json(read) == to_json(partition(read_profile(profile), uniform_topology(2, 1e6, 3), {.straight = true})));

  const Outcome shown = call({"show", plan});
  CHECK(shown.code == 0);
  CHECK(shown.out == made.out.substr(0, shown.out.size()));
  CHECK_THAT(shown.out, Contains("bound by compute of stage 1"));
}

TEST_CASE_METHOD(Fixture, "plan --json prints what -o writes") {
  const Outcome made = call({"plan", profile, "--json", "-o", plan});
  REQUIRE(made.code == 0);
  CHECK(made.out == read_whole_file(plan));
  CHECK(call({"show", plan, "--json"}).out == made.out);
}

TEST_CASE_METHOD(Fixture, "the options reach the planner") {
  const auto planned = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"plan", profile, "--json"});
    const Outcome made = call(options);
    INFO(made.err);
    REQUIRE(made.code == 0);
    return parse_plan(made.out, "stdout");
  };
  CHECK(planned({"--workers", "4", "--bandwidth", "1GB/s"}).workers() == 4);
  CHECK(planned({"--workers", "1"}).workers() == 1);
  CHECK(planned({"--workers", "3", "--straight"}).stages.size() == 3);
  CHECK(planned({"--algorithm", "data-parallel"}).algorithm == Algorithm::data_parallel);
  CHECK(planned({"--algorithm", "data-parallel", "--microbatches-per-update", "8"}).microbatches_per_update == 8);
  const Plan flush = planned({"--algorithm", "1f1b-flush", "--microbatches-per-update", "8"});
  CHECK(flush.algorithm == Algorithm::flush_1f1b);
  CHECK(flush.microbatches_per_update == 8);
  CHECK(planned({"--algorithm", "gpipe"}).stages.front().warmup == 0);
  CHECK(planned({"--algorithm", "model-parallel"}).workers() == 1);
  CHECK(planned({"--algorithm", "model-parallel", "--use-all-workers"}).workers() == 2);
  const Plan fast = planned({"--straight", "--bandwidth", "1GB/s"});
  const Plan late = planned({"--straight", "--bandwidth", "1GB/s", "--latency", "1ms"});
  CHECK(fast.workers() == 2);
  // Depth hides it, where depth is chosen.
  CHECK(late.workers() == 2);
  CHECK(late.stages[0].warmup > fast.stages[0].warmup);
  CHECK(planned({"--straight", "--bandwidth", "1GB/s", "--latency", "1ms", "--cost-model", "pipedream"}).workers() ==
        1);
  CHECK(planned({"--straight", "--optimizer", "sgd"}).stages[0].prediction.memory_bytes ==
        planned({"--straight"}).stages[0].prediction.memory_bytes - 6'000);
  // Its step needs two tensors of 3,000 bytes, when the two of 20 that the backward held are gone.
  CHECK(planned({"--straight", "--optimizer", "adam"}).stages[0].prediction.memory_bytes ==
        planned({"--straight"}).stages[0].prediction.memory_bytes + 6'000 + 2 * 3'000 - 2 * 20);
}

TEST_CASE_METHOD(Fixture, "a topology file takes the place of workers and links") {
  Topology topology = uniform_topology(3, 1e9);
  topology.memory_bytes_per_worker = 100'000;
  const std::string path = folder / "topology.json";
  write_topology(topology, path);
  const Outcome made = call({"plan", alone, "--topology", path, "--straight"});
  CHECK(made.code == 0);
  CHECK_THAT(made.out, StartsWith("pipedream: 3 stages on 3 workers"));
  CHECK_THAT(made.out, Contains("memory   at most 97.7 KiB a worker"));
  CHECK_THAT(usage_error({"plan", alone, "--topology", path, "--workers", "2"}), Contains("--workers"));
  topology.levels.push_back({"server", 2, 1e9, 0, 0});
  write_topology(topology, path);
  const Outcome nested = call({"plan", alone, "--topology", path, "--straight"});
  CHECK(nested.code == 0);
  CHECK_THAT(nested.out, StartsWith("pipedream: 6 stages on 6 workers"));
}

TEST_CASE_METHOD(Fixture, "workers in servers, and the cost model of the plan's choice") {
  const std::vector<std::string> nested = {"plan", profile, "--workers", "2x2", "--bandwidth", "1GB/s,1MB/s"};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), nested.begin(), nested.end());
    return call(more);
  };
  const Outcome made = with({"-o", plan});
  INFO(made.err);
  REQUIRE(made.code == 0);
  CHECK_THAT(made.out, Contains("1.00 GB/s, latency 0 us; 1.00 MB/s, latency 0 us (given)"));
  CHECK(read_plan(plan).search.cost_model == "simulated");
  CHECK_THAT(made.out, Contains("servers"));
  CHECK(read_plan(plan).placement.servers == std::vector<int>{0, 0, 1, 1});
  CHECK(read_plan(plan).placement.devices == std::vector<int>{0, 1, 0, 1});
  const Outcome compat = with({"--cost-model", "pipedream-compat", "-o", plan});
  REQUIRE(compat.code == 0);
  CHECK_THAT(compat.out, Contains("chosen by pipedream-compat: "));
  CHECK(read_plan(plan).search.cost_model == "pipedream-compat");
  const Outcome simulated = with({"--cost-model", "simulated", "-o", plan});
  CHECK_THAT(simulated.out, Contains("proposed by") && Contains("data parallelism") && Contains("made from what "));
  CHECK(read_plan(plan).search.proposals.size() > 3);
  CHECK(read_plan(plan).workers() == 4);
}

TEST_CASE_METHOD(Fixture, "import makes a profile that can be planned for") {
  const std::string graph = folder / "graph.txt";
  write_file_atomically(graph,
                        "a -- Linear -- forward_compute_time=1.0, backward_compute_time=2.0, activation_size=8.0, "
                        "parameter_size=4.0\nb -- Linear -- forward_compute_time=1.0, backward_compute_time=2.0, "
                        "activation_size=8.0, parameter_size=4.0\n\ta -- b\n");
  const Outcome made = call({"import", graph, "-o", alone});
  CHECK(made.code == 0);
  CHECK(made.out == "2 layers, 6.00 ms a microbatch, 8 B of parameters\nwritten to " + alone + "\n");
  CHECK(call({"import", graph}).out == read_whole_file(alone));
  CHECK(call({"plan", alone, "--workers", "2", "--bandwidth", "1GB/s"}).code == 0);
  CHECK_THAT(usage_error({"import", plan}), Contains(plan));
}

TEST_CASE_METHOD(Fixture, "export makes a stage map that can be imported") {
  REQUIRE(call({"plan", profile, "--straight", "-o", plan}).code == 0);
  const std::string map = folder / "map.txt";
  const Outcome made = call({"export", plan, "--profile", profile, "-o", map});
  INFO(made.err);
  REQUIRE(made.code == 0);
  CHECK(made.out == "2 stages, replicas 0:1,1:1\nwritten to " + map + "\n");
  const std::string text = read_whole_file(map);
  CHECK(call({"export", plan, "--profile", profile}).out == text);
  CHECK_THAT(text, Contains("layer2 -- Layer -- ") && Contains("-- stage_id=0\nlayer3 -- "));
  CHECK(call({"export", plan, "--graph", map}).out == text);
  REQUIRE(call({"import", map, "-o", alone}).code == 0);
  CHECK(call({"show", plan, "--profile", alone, "--bandwidth", "1GB/s"}).code == 0);
  CHECK_THAT(usage_error({"export", plan}), Contains("export needs --profile or --graph"));
  CHECK_THAT(usage_error({"export", plan, "--graph", map, "--profile", profile}), Contains("--profile"));
  write_profile(chain_profile(5), alone);
  CHECK_THAT(usage_error({"export", plan, "--profile", alone}),
             Contains(plan + " cannot be exported with " + alone) && Contains("layer4"));
}

TEST_CASE_METHOD(Fixture, "a memory limit is kept, and what it costs is said") {
  const Outcome tight = call({"plan", profile, "--straight", "--memory", "44kB"});
  INFO(tight.err);
  REQUIRE(tight.code == 0);
  CHECK_THAT(tight.out, Contains("memory   at most 43.0 KiB a worker; without the limit"));
  CHECK_THAT(usage_error({"plan", profile, "--memory", "10kB"}), Contains("is too little"));
}

TEST_CASE_METHOD(Fixture, "idle workers are mentioned") {
  const Outcome made = call({"plan", profile, "--workers", "9", "--straight"});
  REQUIRE(made.code == 0);
  CHECK_THAT(made.out, Contains("of 9 used: more would not be faster"));
}

TEST_CASE_METHOD(Fixture, "show predicts a plan that was written by hand") {
  write_file_atomically(plan, R"({"format": "pipedream-plan", "version": 1, "algorithm": "pipedream", "stages": [
    {"layers": ["layer0", "layer1", "layer2"], "workers": [0, 2]},
    {"layers": ["layer3", "layer4", "loss"], "workers": [1]}]})");
  const Outcome bare = call({"show", plan});
  CHECK(bare.code == 0);
  CHECK_THAT(bare.out, StartsWith("pipedream: 2 stages on 3 workers\n"));
  CHECK_THAT(bare.out, Contains("0,2") && Contains("No prediction in this plan."));
  const Outcome predicted = call({"show", plan, "--profile", profile, "--bandwidth", "1GB/s"});
  CHECK(predicted.code == 0);
  CHECK_THAT(predicted.out, Contains("bound by compute of stage 1"));
  const Outcome json = call({"show", plan, "--profile", profile, "--json"});
  CHECK(parse_plan(json.out, "stdout").prediction.microbatch_us > 0);
}

TEST_CASE_METHOD(Fixture, "show refuses a plan of another model") {
  write_profile(chain_profile(5), alone);
  REQUIRE(call({"plan", profile, "-o", plan, "--straight"}).code == 0);
  CHECK_THAT(usage_error({"show", plan, "--profile", alone, "--bandwidth", "1GB/s"}),
             Contains(plan + " does not fit " + alone) && Contains("the model has no layer \"layer4\""));
}

TEST_CASE_METHOD(Fixture, "plan --depths simulated says what each step bought") {
  const std::vector<std::string> paper = {"plan", profile, "--cost-model", "pipedream"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), paper.begin(), paper.end());
    return more;
  };
  const Outcome least = call(with({"--straight", "--depths", "least", "-o", plan}));
  CHECK(read_plan(plan).stages[0].warmup == 1);
  CHECK_THAT(least.out, !Contains("depths by simulation"));
  const Outcome made = call(with({"--straight", "--depths", "simulated", "-o", plan}));
  INFO(made.err);
  REQUIRE(made.code == 0);
  CHECK_THAT(made.out, Contains("least depths                  1,0              135 us  44.1 KiB\n"));
  CHECK_THAT(made.out, Contains("slack for what is in transit  2,0              126 us  44.1 KiB\n"));
  CHECK_THAT(made.out, Contains("bound by compute of stage 1"));
  CHECK(read_plan(plan).stages[0].warmup == 2);
  CHECK_THAT(usage_error({"plan", profile, "--depths", "great"}), Contains("--depths"));
  CHECK_THAT(usage_error(with({"--depths", "simulated", "--algorithm", "gpipe"})), Contains("gpipe has no depths"));
  CHECK_THAT(usage_error({"plan", profile, "--depths", "least"}),
             Contains("--depths least: the cost model simulated chooses depths itself"));
}

TEST_CASE_METHOD(Fixture, "simulate says how fast a plan is and what limits it") {
  REQUIRE(call({"plan", profile, "-o", plan, "--straight", "--cost-model", "pipedream"}).code == 0);
  const Outcome table = call({"simulate", plan, "--profile", profile});
  INFO(table.err);
  REQUIRE(table.code == 0);
  CHECK_THAT(table.out, StartsWith("pipedream: 400 microbatches on 2 workers, simulated"));
  // Two microbatches in flight pass through both stages and over the link (23 us) twice.
  CHECK_THAT(table.out, Contains("microbatch  135 us, at best 126 us (compute of stage 1)\n"));
  CHECK_THAT(table.out, Contains("limited by  activations that stage 1 waits for\n"));
  const std::string trace = folder / "trace.json";
  const Outcome json = call({"simulate", plan, "--profile", profile, "--json", "--microbatches", "10", "--trace", trace,
                             "--bandwidth", "1kB/s"});
  REQUIRE(json.code == 0);
  CHECK_THAT(json.out, Contains("\"format\": \"pipedream-simulation\"") && Contains("\"microbatches\": 10,") &&
                           Contains("\"bound_by\": \"outgoing link of worker 0\"") && Contains("\"peak_bytes\""));
  CHECK_THAT(read_whole_file(trace), Contains("B1.9@v"));

  Topology topology = uniform_topology(1, 1e9);
  topology.levels.push_back({"server", 2, 1e3, 0, 0});
  const std::string path = folder / "topology.json";
  write_topology(topology, path);
  CHECK_THAT(call({"simulate", plan, "--profile", profile, "--topology", path}).out,
             Contains("(outgoing link of server 0)"));
  CHECK_THAT(usage_error({"simulate", plan}), Contains("--profile"));
  CHECK_THAT(usage_error({"simulate", plan, "--profile", profile, "--microbatches", "0"}), Contains("--microbatches"));
  CHECK_THAT(usage_error({"simulate", plan, "--profile", profile, "--topology", path, "--latency", "1us"}),
             Contains("--latency"));
  write_profile(chain_profile(5), alone);
  CHECK_THAT(usage_error({"simulate", plan, "--profile", alone, "--bandwidth", "1GB/s"}),
             Contains(plan + " does not fit " + alone));
}

TEST_CASE_METHOD(Fixture, "mistakes in usage and input are one line and exit code 2") {
  CHECK_THAT(usage_error({}), Contains("subcommand"));
  CHECK_THAT(usage_error({"fly"}), Contains("no subcommand \"fly\" (known: plan, show, simulate, schedule, what-if, "
                                            "compare, import, export, completion)"));
  CHECK_THAT(usage_error({"plan"}), Contains("PROFILE"));
  CHECK_THAT(usage_error({"plan", profile, "--speed", "3"}), Contains("--speed"));
  CHECK_THAT(usage_error({"plan", "/nowhere.json"}), Contains("/nowhere.json: cannot read: No such file"));
  CHECK_THAT(usage_error({"plan", profile, "--workers", "4x4"}), Contains("2 levels of workers: give the bandwidth"));
  CHECK_THAT(usage_error({"plan", profile, "--workers", "4x"}), Contains("--workers 4x: must be a whole number"));
  CHECK_THAT(usage_error({"plan", profile, "--workers", "4x4", "--bandwidth", "1GB/s"}),
             Contains("--bandwidth 1GB/s: 1 value for 2 levels"));
  CHECK_THAT(usage_error({"plan", profile, "--latency", "1us,2us"}),
             Contains("--latency 1us,2us: 2 values for 1 level"));
  CHECK_THAT(usage_error({"plan", profile, "--cost-model", "magic"}),
             Contains("unknown cost model \"magic\" (known: pipedream, pipedream-compat, dapple, 2bw, simulated)"));
  CHECK_THAT(usage_error({"plan", profile, "--workers", "0"}), Contains("--workers 0: must be a whole number"));
  CHECK_THAT(usage_error({"plan", profile, "--workers", "many"}), Contains("--workers many"));
  CHECK_THAT(usage_error({"plan", profile, "--bandwidth", "10GB/s,1GB/s"}),
             Contains("--bandwidth 10GB/s,1GB/s: 2 values for 1 level"));
  CHECK_THAT(usage_error({"plan", profile, "--bandwidth", "fast"}), Contains("\"fast\" is not a bandwidth"));
  CHECK_THAT(usage_error({"plan", profile, "--latency", "soon"}), Contains("\"soon\" is not a time"));
  CHECK_THAT(usage_error({"plan", profile, "--memory", "lots"}), Contains("\"lots\" is not a size"));
  CHECK_THAT(usage_error({"plan", profile, "--algorithm", "magic"}), Contains("unknown algorithm \"magic\""));
  CHECK_THAT(usage_error({"plan", profile, "--optimizer", "magic"}), Contains("magic"));
  CHECK_THAT(usage_error({"plan", profile, "--microbatches-per-update", "4"}), Contains("microbatches_per_update"));
  CHECK_THAT(usage_error({"plan", alone, "--workers", "2"}), Contains("no measured links") && Contains("--bandwidth"));
  CHECK_THAT(usage_error({"plan", profile, "-o", "/nowhere/plan.json"}), Contains("/nowhere/plan.json"));
  CHECK_THAT(usage_error({"plan", profile, "--use-all-workers", "--straight", "--workers", "7"}),
             Contains("uses all 7 workers"));
  CHECK_THAT(usage_error({"show", profile}), Contains("format: must be \"pipedream-plan\""));
  CHECK_THAT(usage_error({"show", plan, "--bandwidth", "1GB/s"}), Contains("--profile"));
}

TEST_CASE("help and version are no errors") {
  CHECK(call({"--help"}).code == 0);
  CHECK_THAT(call({"--help"}).out, Contains("plan") && Contains("show") && Contains("Exit codes"));
  CHECK_THAT(call({"plan", "--help"}).out, Contains("--bandwidth") && Contains("--memory"));
  CHECK(call({"plan", "--help"}).code == 0);
  CHECK(call({"--version"}).code == 0);
  CHECK_FALSE(call({"--version"}).out.empty());
}

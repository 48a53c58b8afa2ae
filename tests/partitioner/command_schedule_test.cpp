#include <regex>

#include "call.h"
#include "pipedream/schedule.h"
#include "planning/atomic_file.h"
#include "planning/support.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using Catch::StartsWith;

namespace {

Outcome schedule(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "schedule");
  Outcome outcome = call(arguments);
  INFO(outcome.err);
  CHECK(outcome.err.empty());
  REQUIRE(outcome.code == 0);
  return outcome;
}

std::string schedule_error(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "schedule");
  return usage_error(arguments);
}

// A plan of three workers with the second stage first among the workers, without predictions.
struct PlanFile {
  ScratchFolder folder;
  std::string path = folder / "plan.json";

  PlanFile() {
    write_file_atomically(path, R"({"format": "pipedream-plan", "version": 1, "algorithm": "pipedream", "stages": [
      {"layers": ["a", "b"], "workers": [1, 2]}, {"layers": ["c", "loss"], "workers": [0]}]})");
  }
};

}  // namespace

TEST_CASE("schedule prints grid and figures of an algorithm") {
  const std::string out = schedule({"--algorithm", "pipedream", "--workers", "2", "--microbatches", "3"}).out;
  CHECK(out ==
        "time      0  1  2  3  4  5  6  7  8  9  10 11\n"
        "worker 0  F0 F1 .  .  B0---|F2 B1---|.  B2---|\n"
        "          v0 v0       v0    v1 v0       v1\n"
        "worker 1  .  F0 B0---|F1 B1---|F2 B2---|.  .\n"
        "             v0 v0    v1 v1    v2 v2\n"
        "\n"
        "F3, B3: forward and backward of microbatch 3; v2: weights of version 2; |: update; .: idle\n"
        "\n"
        "pipedream: 2 stages on 2 workers; 3 microbatches\n"
        "\n"
        "worker  stage  in flight  versions  staleness   busy\n"
        "0       0              2         2       0.67  75.0%\n"
        "1       1              1         1       0.00  75.0%\n"
        "\n"
        "bubble 25.0% of 12 us\n"
        "a column is 1 us\n");
}

TEST_CASE("the options of schedule reach plan and times") {
  const std::string replicated = schedule({"--algorithm", "pipedream", "--replicas", "2,1", "--warmup", "3,0"}).out;
  CHECK_THAT(replicated, Contains("pipedream: 2 stages on 3 workers; 16 microbatches"));
  // A stage with two replicas takes twice as long.
  CHECK_THAT(replicated, Contains("\nworker 0, stage 0  F0----- F2----- F4----- F6----- B0------"));
  CHECK_THAT(replicated, Contains("\nworker 2, stage 1  .   .   F0  B0-----|F1  B1-----|"));

  const std::string one_stage = schedule({"--algorithm", "pipedream", "--workers", "3", "--stages", "1"}).out;
  CHECK_THAT(one_stage, Contains("pipedream: 1 stage on 3 workers"));

  const std::string slow = schedule({"--algorithm", "gpipe", "--workers", "2", "--microbatches-per-update", "2",
                                     "--forward-us", "2,1", "--backward-us", "4"})
                               .out;
  CHECK_THAT(slow, Contains("gpipe: 2 stages on 2 workers, 2 microbatches an update; 4 microbatches"));
  CHECK_THAT(slow, Contains("worker 0  F0--- F1--- .  .  .  .  .  B0--------- B1---------|F2---"));
  CHECK_THAT(slow, Contains("worker 1  .  .  F0 .  F1 B0--------- B1---------|.  .  "));
  CHECK_THAT(slow, Contains("bubble 35.3% of 34 us"));

  const std::string coarse = schedule({"--algorithm", "data-parallel", "--workers", "2", "--column-us", "0.5"}).out;
  CHECK_THAT(coarse, Contains("\nworker 1, stage 0  F1--------- B1---------------------|"));
  CHECK_THAT(coarse, Contains("a column is 0.50 us"));
}

TEST_CASE_METHOD(PlanFile, "schedule takes a plan from a file, with the times that it predicts") {
  const std::string out = schedule({path, "--microbatches", "4"}).out;
  CHECK_THAT(out, Contains("\nworker 0, stage 1  .  .  F0 B0---|F1 "));
  CHECK_THAT(out, Contains("\nworker 2, stage 0  F1--- F3--- .  "));

  Plan plan = read_plan(path);
  for (StagePlan& stage : plan.stages) {
    stage.prediction.forward_us = 3;
    stage.prediction.backward_us = 5;
  }
  write_plan(plan, path);
  const std::string predicted = schedule({path, "--microbatches", "4", "--column-us", "1"}).out;
  CHECK_THAT(predicted, Contains("\nworker 0, stage 1  .  .  .  F0------ B0------------|F1------ "));
  CHECK_THAT(schedule({path, "--microbatches", "4", "--column-us", "1", "--forward-us", "1"}).out,
             Contains("\nworker 0, stage 1  .  F0 B0------------|F1 "));
}

TEST_CASE_METHOD(PlanFile, "schedule takes times and messages from a profile") {
  write_file_atomically(path, R"({"format": "pipedream-plan", "version": 1, "algorithm": "model-parallel", "stages": [
    {"layers": ["layer0"], "workers": [0]}, {"layers": ["layer1", "layer2"], "workers": [1]},
    {"layers": ["loss"], "workers": [2]}]})");
  Profile profile = chain_profile(4, 20);
  const std::string profile_path = folder / "profile.json";
  write_profile(profile, profile_path);
  const auto with_profile = [&](const char* what) {
    return schedule({path, "--profile", profile_path, "--bandwidth", "1MB/s", "--microbatches", "1", what}).out;
  };
  // Forwards of 10, 23 and 13 us, backwards twice that, and four messages of 20 bytes.
  CHECK_THAT(with_profile("--text"), Contains("of " + std::to_string(3 * (10 + 23 + 13) + 4 * 20) + " us"));
  CHECK_THAT(with_profile("--program"), !Contains("S0>2.0"));
  profile.tensors[0].consumers.push_back("loss");
  write_profile(profile, profile_path);
  CHECK_THAT(with_profile("--program"), Contains("S0>2.0"));

  CHECK_THAT(schedule_error({"--algorithm", "gpipe", "--workers", "2", "--profile", profile_path}),
             Contains("--profile requires PLAN"));
  CHECK_THAT(schedule_error({path, "--bandwidth", "1MB/s"}), Contains("--bandwidth requires --profile"));
  write_profile(chain_profile(3), profile_path);
  CHECK_THAT(schedule_error({path, "--profile", profile_path, "--bandwidth", "1MB/s"}),
             Contains(path + " does not fit " + profile_path));
}

TEST_CASE_METHOD(PlanFile, "schedule --program prints what the workers would run, however long") {
  const Plan plan = read_plan(path);
  const std::vector<StageLink> links = {{0, 1, true}};
  const std::string out = schedule({path, "--program", "--microbatches", "1000000000"}).out;
  CHECK(parse_program(out) == make_program(plan, links, {Pass::train, 1'000'000'000}));
  const std::string both = schedule({path, "--program", "--text", "--microbatches", "5"}).out;
  CHECK_THAT(both, StartsWith(to_text(make_program(plan, links, {Pass::train, 5})) + "time "));
  CHECK_THAT(both, Contains("bubble"));
}

TEST_CASE_METHOD(PlanFile, "schedule --svg writes a drawing") {
  const std::string drawing = folder / "drawing.svg";
  const std::string out = schedule({path, "--microbatches", "5", "--svg", drawing}).out;
  CHECK_THAT(out, StartsWith("pipedream: 2 stages on 3 workers; 5 microbatches\n"));
  CHECK_THAT(out, Contains("written to " + drawing));
  const std::string svg = read_whole_file(drawing);
  CHECK_THAT(svg, StartsWith("<svg ") && Contains(">pipedream: 2 stages on 3 workers; 5 microbatches</text>"));
  const std::regex box("class=\"box ");
  CHECK(std::distance(std::sregex_iterator(svg.begin(), svg.end(), box), {}) == 2 * 2 * 5);
  CHECK_THAT(schedule({path, "--svg", drawing, "--text"}).out, StartsWith("time "));
  CHECK_THAT(schedule({path, "--svg", drawing, "--program"}).out, StartsWith("worker 0: ") && !Contains("written"));
}

TEST_CASE("without a number of microbatches schedule takes two updates, or twice what is in flight") {
  const auto title = [](const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"--algorithm"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const std::string out = schedule(arguments).out;
    const std::size_t begin = out.find("; ", out.find("stage", out.find("\n\n" + options[0]))) + 2;
    return out.substr(begin, out.find('\n', begin) - begin);
  };
  CHECK(title({"pipedream", "--workers", "3"}) == "6 microbatches");
  CHECK(title({"pipedream", "--workers", "3", "--warmup", "4,2,0"}) == "10 microbatches");
  CHECK(title({"pipedream", "--replicas", "1,3"}) == "8 microbatches");
  CHECK(title({"model-parallel", "--workers", "3"}) == "2 microbatches");
  CHECK(title({"data-parallel", "--workers", "3"}) == "6 microbatches");
  CHECK(title({"1f1b-flush", "--workers", "2"}) == "16 microbatches");
}

TEST_CASE_METHOD(PlanFile, "mistakes in a call of schedule are one line and exit code 2") {
  const auto bare = [](const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"--algorithm", "pipedream"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return schedule_error(arguments);
  };
  CHECK_THAT(schedule_error({}), Contains("needs a PLAN, or --algorithm with --workers or --replicas"));
  CHECK_THAT(schedule_error({"--workers", "3"}), Contains("needs a PLAN"));
  CHECK_THAT(schedule_error({path, "--workers", "3"}), Contains("PLAN excludes --workers"));
  CHECK_THAT(schedule_error({path, "--warmup", "1,0"}), Contains("PLAN excludes --warmup"));
  CHECK_THAT(schedule_error({"/nowhere.json"}), Contains("/nowhere.json: cannot read"));
  CHECK_THAT(schedule_error({"--algorithm", "magic", "--workers", "3"}), Contains("unknown algorithm \"magic\""));
  CHECK_THAT(bare({}), Contains("--workers 0: must be from 1 to 4096"));
  CHECK_THAT(bare({"--workers", "9999"}), Contains("--workers 9999: must be from 1 to 4096"));
  CHECK_THAT(bare({"--workers", "4", "--replicas", "2,1"}), Contains("--replicas 2,1 are 3 workers, --workers says 4"));
  CHECK_THAT(bare({"--stages", "3", "--replicas", "2,1"}), Contains("--replicas 2,1 are 2 stages, --stages says 3"));
  CHECK_THAT(bare({"--workers", "3", "--stages", "2"}), Contains("--stages 2 on 3 workers: must be 1, or from 3"));
  CHECK_THAT(bare({"--workers", "2", "--stages", "4"}), Contains("worker 0 is already in stage 0"));
  CHECK_THAT(bare({"--replicas", "2,0"}), Contains("--replicas 2,0: each from 1 to 4096"));
  CHECK_THAT(bare({"--replicas", "2,x"}), Contains("2,x"));
  CHECK_THAT(bare({"--workers", "3", "--warmup", "1,0"}), Contains("--warmup 1,0: one for each of the 3 stages"));
  CHECK_THAT(bare({"--workers", "2", "--warmup", "1,1"}), Contains("stages[1].warmup: must be 0 in the last stage"));
  CHECK_THAT(bare({"--workers", "2", "--microbatches-per-update", "4"}), Contains("microbatches_per_update"));
  CHECK_THAT(bare({"--workers", "2", "--microbatches", "0"}), Contains("--microbatches"));
  CHECK_THAT(bare({"--workers", "3", "--forward-us", "1,2"}), Contains("--forward-us has 2 times, the plan has 3"));
  CHECK_THAT(bare({"--workers", "3", "--backward-us", "0"}), Contains("--backward-us 0: must be positive"));
  CHECK_THAT(bare({"--workers", "3", "--forward-us", "nan"}), Contains("--forward-us nan: must be positive"));
  CHECK_THAT(bare({"--workers", "3", "--column-us", "0"}), Contains("--column-us"));
  CHECK_THAT(bare({"--workers", "3", "--microbatches", "1000000"}), Contains("too many for a picture"));
  CHECK_THAT(bare({"--workers", "3", "--backward-us", "1e6"}), Contains("at most 10000 can be drawn"));
  CHECK_THAT(bare({"--workers", "3", "--svg", "/nowhere/drawing.svg"}), Contains("/nowhere/drawing.svg: cannot write"));
}

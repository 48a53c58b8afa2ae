#include "pipedream/run.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "pipedream/error.h"
#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/run_report.h"
#include "pipedream/weights.h"
#include "support.h"
#include "support/scratch_folder.h"
#include "tiny_app.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;

namespace {

using Words = std::vector<std::string>;

constexpr int kPerEpoch = 13;  // 50 rows in microbatches of 4

// Three layers, the loss included, in stage 0 or 1.
const char* const kPlan = R"({"format": "pipedream-plan", "version": 1, "algorithm": "pipedream", "stages": [
  {"layers": ["linear1", "relu"], "workers": [0]},
  {"layers": ["linear2", "loss"], "workers": [1]}]})";

// Exit code 2 and one message, which holds `part`, before anything is trained.
void refuses(const Words& words, const std::string& part) {
  const Outcome outcome = run_words(tiny_app(), words);
  CHECK(outcome.exit_code == kExitUsage);
  CHECK_THAT(outcome.error, Contains(part));
  CHECK(occurrences(outcome.error, "tiny: ") == 1);
  CHECK_THAT(outcome.out, !Contains("trained"));
}

}  // namespace

TEST_CASE("train without a plan measures, plans, trains and tells") {
  const ScratchFolder folder;
  const Outcome outcome = run_words(
      tiny_app(), {"train", "--workers", "2", "--straight", "--epochs", "3", "--losses", folder / "l.csv", "--trace",
                   folder / "t.json", "--save-initial", folder / "a", "--save-weights", folder / "b"});
  REQUIRE(outcome.exit_code == 0);
  CHECK(outcome.error.empty());
  CHECK_THAT(outcome.out, Contains("pipedream: 2 stages on 2 workers") && Contains("expected ") &&
                              Contains("trained 39 microbatches, 150 samples") && Contains("accuracy") &&
                              Contains("(17 samples)") && Contains("staleness"));
  const auto losses = lines_of(read_text(folder / "l.csv"));
  REQUIRE(losses.size() == 1 + 3 * kPerEpoch);
  CHECK_THAT(losses[1], Catch::StartsWith("0,0,4,"));
  CHECK_THAT(losses[kPerEpoch], Catch::StartsWith("12,0,2,"));
  CHECK_THAT(losses[kPerEpoch + 1], Catch::StartsWith("13,1,4,"));
  CHECK(nlohmann::json::parse(read_text(folder / "t.json")).contains("traceEvents"));
  const NamedTensors initial = read_safetensors(folder / "a");
  const NamedTensors trained = read_safetensors(folder / "b");
  REQUIRE(initial.size() == 4);
  CHECK_FALSE(initial.at("linear1.weight").equal(trained.at("linear1.weight")));

  const Outcome test = run_words(tiny_app(), {"evaluate", "--weights", folder / "b"});
  REQUIRE(test.exit_code == 0);
  const auto after = outcome.out.find("test: ");
  CHECK_THAT(test.out, Contains(outcome.out.substr(after, outcome.out.find('\n', after) - after)));
}

TEST_CASE("profile and plan may be files") {
  const ScratchFolder folder;
  const std::string profile_file = folder / "p.json";
  const Outcome profile =
      run_words(tiny_app(), {"profile", "--workers", "2", "--repetitions", "3", "-o", profile_file});
  REQUIRE(profile.exit_code == 0);
  CHECK_THAT(profile.out, Contains("linear1") && Contains("whole model") && Contains("link between 2 workers"));
  CHECK(read_profile(profile_file).layers.size() == 4);
  write_text(folder / "plan.json", kPlan);

  const Outcome planned = run_words(tiny_app(), {"train", "--workers", "2", "--profile", profile_file, "--steps", "5"});
  CHECK(planned.exit_code == 0);
  CHECK_THAT(planned.out, Contains("trained 5 microbatches") && !Contains("measuring"));
  const Outcome by_hand =
      run_words(tiny_app(), {"train", "--workers", "2", "--plan", folder / "plan.json", "--steps", "5"});
  CHECK(by_hand.exit_code == 0);
  CHECK_THAT(by_hand.out, Contains("No prediction"));
  const Outcome predicted = run_words(tiny_app(), {"train", "--workers", "2", "--plan", folder / "plan.json",
                                                   "--profile", profile_file, "--steps", "5"});
  CHECK(predicted.exit_code == 0);
  CHECK_THAT(predicted.out, Contains("expected "));
}

TEST_CASE("a run is held against its prediction, and corrects its profile") {
  const ScratchFolder folder;
  const Words files{"--report", folder / "r.json", "--recalibrate", folder / "c.json"};
  Words words{"train", "--workers", "2", "--straight", "--cost-model", "pipedream", "--steps", "40"};
  words.insert(words.end(), files.begin(), files.end());
  const Outcome outcome = run_words(tiny_app(), words);
  INFO(outcome.out << outcome.error);
  REQUIRE(outcome.exit_code == 0);
  CHECK_THAT(outcome.out, Contains("time of a microbatch: predicted") && Contains("links, waits, the host"));
  const RunReport report = read_report(folder / "r.json");
  CHECK(report.microbatches == 40);
  CHECK(report.microbatch_size == 4);
  CHECK(report.workers[0].updates == 40);
  CHECK(report.workers[0].peak_versions == 2);
  CHECK(report.workers[1].peak_versions == 1);
  for (const RunFigures* figures : {&report.predicted, &report.measured}) {
    CHECK(figures->microbatch_us > 0);
    REQUIRE(figures->peak_bytes.size() == 2);
    for (const std::int64_t bytes : figures->peak_bytes) CHECK(bytes > 0);
  }
  REQUIRE(report.scores.size() == 3);
  CHECK(report.scores[1].name == "test loss");
  // What the corrected profile says of a stage is what the stage took.
  double forward_us = 0;
  for (const LayerProfile& layer : read_profile(folder / "c.json").layers) forward_us += layer.forward_us;
  CHECK(forward_us == Approx(report.measured.stages[0].forward_us + report.measured.stages[1].forward_us));

  write_text(folder / "plan.json", kPlan);
  words = {"train", "--workers", "2", "--plan", folder / "plan.json", "--recalibrate", folder / "c.json"};
  const Outcome nothing = run_words(tiny_app(), words);
  CHECK(nothing.exit_code == 2);
  CHECK_THAT(nothing.error, Contains("--recalibrate: with --plan there is no profile"));
}

TEST_CASE("verify compares a pipeline with one process, under the plan's algorithm or another") {
  const ScratchFolder folder;
  write_text(folder / "plan.json", kPlan);
  for (const char* algorithm : {"pipedream", "gpipe", "pipemare"}) {
    const Outcome outcome = run_words(tiny_app(), {"verify", "--workers", "2", "--plan", folder / "plan.json",
                                                   "--algorithm", algorithm, "--steps", "9"});
    INFO(outcome.out << outcome.error);
    CHECK(outcome.exit_code == 0);
    CHECK_THAT(outcome.out, Contains("losses of 9 microbatches agree: every bit") &&
                                Contains(std::string("verified: ") + algorithm + " on 2 worker(s)"));
  }
}

TEST_CASE("depths on the command line are the depths of the run") {
  const ScratchFolder folder;
  write_text(folder / "plan.json", kPlan);
  const auto last_delay_of_first_stage = [&](const Words& more) {
    Words words{"train", "--workers", "2", "--steps", "12", "--staleness", folder / "s.csv"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run_words(tiny_app(), words);
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    const auto lines = lines_of(read_text(folder / "s.csv"));
    return lines.at(1 + 2 * 11);
  };
  CHECK_THAT(last_delay_of_first_stage({"--plan", folder / "plan.json"}), Catch::EndsWith(",1,"));
  CHECK_THAT(last_delay_of_first_stage({"--plan", folder / "plan.json", "--warmup", "3,0"}), Catch::EndsWith(",3,"));
  REQUIRE(run_words(tiny_app(),
                    {"train", "--workers", "2", "--straight", "--cost-model", "pipedream", "--depths", "simulated"})
              .exit_code == 0);
}

TEST_CASE("a run of several segments tells how stale its weights were") {
  const ScratchFolder folder;
  write_text(folder / "plan.json", kPlan);
  const Outcome outcome =
      run_words(tiny_app(), {"train", "--workers", "2", "--plan", folder / "plan.json", "--epochs", "2", "--segments",
                             "1f1b-flush:1,pipedream", "--staleness", folder / "s.csv", "--distances"});
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  const auto lines = lines_of(read_text(folder / "s.csv"));
  REQUIRE(lines.size() == 1 + 2 * 2 * kPerEpoch);
  CHECK(lines[1] == "0,0,0,0,0,0");
  // The first epoch is synchronous; of the second the first stage is one update behind.
  for (int k = 0; k < kPerEpoch; ++k) CHECK_THAT(lines[static_cast<std::size_t>(1 + 2 * k)], Catch::EndsWith(",0,0"));
  CHECK_THAT(lines[1 + 2 * (kPerEpoch + 4)], Contains(",1,0.0"));
}

TEST_CASE("the run of one seed can be repeated, and initial weights replace the seed's") {
  const ScratchFolder folder;
  const auto train = [&](const std::string& seed, const std::string& out, const Words& more) {
    Words words{"train",   "--algorithm", "model-parallel", "--no-shuffle", "--seed", seed,
                "--steps", "9",           "--save-weights", folder / out};
    words.insert(words.end(), more.begin(), more.end());
    REQUIRE(run_words(tiny_app(), words).exit_code == 0);
    return read_safetensors(folder / out).at("linear2.weight");
  };
  const auto first = train("1", "a", {"--save-initial", folder / "i"});
  CHECK(train("1", "b", {}).equal(first));
  CHECK_FALSE(train("2", "c", {}).equal(first));
  CHECK(train("2", "d", {"--initial-weights", folder / "i"}).equal(first));
}

TEST_CASE("a mistake ends with exit code 2 and one message, with any number of workers") {
  const ScratchFolder folder;
  const std::string plan = folder / "plan.json";
  write_text(plan, kPlan);
  write_text(folder / "torn.json", std::string(kPlan).substr(0, 60));
  write_text(folder / "other.json", R"({"format": "pipedream-plan", "version": 1, "algorithm": "pipedream", "stages": [
    {"layers": ["layer1", "relu", "layer2", "loss"], "workers": [0]}]})");
  write_text(folder / "weights", "no weights");
  const Words two{"train", "--workers", "2"};
  const auto with = [&](Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  refuses({"train", "--epoch", "3"}, "--epoch");
  refuses(with(two, {"--device", "cuda"}), "device cuda: this program is not linked with LibTorch's support for cuda");
  refuses(with(two, {"--plan", folder / "none.json"}), "none.json");
  refuses(with(two, {"--plan", folder / "torn.json"}), "torn.json");
  refuses({"train", "--plan", plan}, "needs 2 worker(s), but there are 1");
  refuses({"train", "--workers", "3", "--plan", plan}, "needs 2 worker(s), but there are 3");
  refuses(with(two, {"--plan", plan, "--algorithm", "data-parallel"}), "--algorithm data-parallel: stages: ");
  refuses(with(two, {"--plan", plan, "--algorithm", "pipemare", "--recompute", "all"}), "recompute: must be false");
  refuses(with(two, {"--plan", plan, "--warmup", "1"}), "--warmup 1: one for each of the 2 stages");
  refuses(with(two, {"--plan", plan, "--warmup", "-1,0"}), "stages[0].warmup: must not be negative, found -1");
  refuses(with(two, {"--plan", plan, "--reduce-delay", "1,0"}), "stages[0].reduce_delay: must be 0");
  refuses(with(two, {"--plan", plan, "--algorithm", "gpipe", "--warmup", "1,0"}), "must be 0 under gpipe");
  refuses(with(two, {"--plan", plan, "--clip-norm", "1"}), "--clip-by stage");
  refuses(with(two, {"--plan", plan, "--corrections", "t2"}), "change weights under pipedream");
  refuses(with(two, {"--plan", plan, "--segments", "gpipe:99,pipedream"}), "the call has");
  refuses({"train", "--plan", folder / "other.json"}, "layer1");
  refuses(with(two, {"--trace", folder / "no/t.json"}), "--trace");
  refuses(with(two, {"--plan", plan, "--initial-weights", folder / "weights"}), "weights");
  refuses(with(two, {"--plan", plan, "--initial-weights", folder / "none"}), "none");
  refuses({"evaluate", "--workers", "2", "--weights", folder / "none"}, "none");
  refuses({"profile", "-o", folder / ""}, "--output");
}

TEST_CASE("a profile or plan of another model is refused") {
  const ScratchFolder folder;
  const std::string file = folder / "p.json";
  REQUIRE(run_words(other_app(), {"profile", "--repetitions", "1", "-o", file}).exit_code == 0);
  refuses({"train", "--profile", file}, "another model");
  Profile profile = read_profile(file);
  Plan plan =
      single_stage_plan(std::vector<std::string>{"linear1", "relu", "linear2", "loss"}, 1, Algorithm::pipedream);
  plan.graph_hash = profile.graph_hash;
  write_plan(plan, folder / "plan.json");
  refuses({"train", "--plan", folder / "plan.json"}, "another model");
}

TEST_CASE("an application without data says so") {
  Application application = tiny_app();
  application.train = nullptr;
  const Outcome outcome = run_words(application, {"train", "--workers", "2"});
  CHECK(outcome.exit_code == kExitUsage);
  CHECK_THAT(outcome.error, Contains("no training data"));
}

TEST_CASE("what fails while running ends with exit code 3 and its cause") {
  ::setenv("TINY_FAULT", "throw@0", 1);
  const Outcome outcome =
      run_words(tiny_app(), {"train", "--workers", "2", "--algorithm", "data-parallel", "--epochs", "100"});
  ::unsetenv("TINY_FAULT");
  CHECK(outcome.exit_code == kExitFailure);
  CHECK_THAT(outcome.error, Contains("the disk is on fire"));
}

TEST_CASE("a signal ends the run in order and saves what was reached") {
  const ScratchFolder folder;
  write_text(folder / "plan.json", kPlan);
  ::setenv("TINY_FAULT", "stop@0", 1);
  const Outcome outcome = run_words(
      tiny_app(), {"train", "--workers", "2", "--plan", folder / "plan.json", "--epochs", "100000", "--losses",
                   folder / "l.csv", "--trace", folder / "t.json", "--save-weights", folder / "w"});
  ::unsetenv("TINY_FAULT");
  CHECK(outcome.exit_code == 130);
  CHECK_THAT(outcome.out, Contains("stopped after") && !Contains("test: "));
  CHECK(lines_of(read_text(folder / "l.csv")).size() > 1);
  CHECK(read_safetensors(folder / "w").size() == 4);
  CHECK_FALSE(read_text(folder / "t.json").empty());
}

TEST_CASE("the handlers of signals are given back") {
  const auto mine = [](int) {};
  std::signal(SIGTERM, mine);
  run_words(tiny_app(), {"train", "--steps", "1"});
  CHECK(std::signal(SIGTERM, SIG_DFL) == static_cast<void (*)(int)>(mine));
}

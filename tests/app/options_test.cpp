#include "app/options.h"

#include <catch2/catch.hpp>

#include "pipedream/error.h"

using namespace pipedream;
using namespace pipedream::detail;
using Catch::Contains;

namespace {

ParsedOptions parse(std::vector<const char*> words) {
  Application application{.name = "tiny",
                          .optimizer = sgd({.learning_rate = 0.25, .momentum = 0.5, .weight_decay = 0.125}),
                          .microbatch_size = 7,
                          .epochs = 3};
  application.optimizer.groups.push_back({.pattern = "*.bias", .weight_decay = 0.0});
  words.insert(words.begin(), "tiny");
  return parse_options(static_cast<int>(words.size()), words.data(), application);
}

Options accepted(const std::vector<const char*>& words) {
  const ParsedOptions parsed = parse(words);
  INFO(parsed.text);
  REQUIRE(parsed.options);
  return *parsed.options;
}

std::string refused(const std::vector<const char*>& words) {
  const ParsedOptions parsed = parse(words);
  REQUIRE_FALSE(parsed.options);
  CHECK(parsed.exit_code == kExitUsage);
  CHECK_THAT(parsed.text, Catch::StartsWith("tiny: "));
  return parsed.text;
}

}  // namespace

TEST_CASE("without options the application's defaults hold") {
  const Options options = accepted({"train"});
  CHECK(options.command == Command::train);
  CHECK(options.workers == 0);
  CHECK(options.microbatch_size == 7);
  CHECK(options.epochs == 3);
  CHECK(options.steps == 0);
  CHECK(options.shuffle);
  CHECK_FALSE(options.algorithm);
  CHECK(options.device == torch::kCPU);
  CHECK(options.transport == DeviceTransport::automatic);
  CHECK(options.deadline() == std::chrono::seconds(300));
  CHECK(options.optimizer.kind == OptimizerKind::sgd);
  CHECK(options.optimizer.settings.learning_rate == 0.25);
  CHECK(options.optimizer.settings.momentum == 0.5);
  CHECK(options.optimizer.settings.weight_decay == 0.125);
  CHECK(options.optimizer.groups.size() == 1);
}

TEST_CASE("every option of train arrives") {
  const Options options = accepted({"train",
                                    "--plan",
                                    "p.json",
                                    "--profile",
                                    "q.json",
                                    "--algorithm",
                                    "data-parallel",
                                    "--workers",
                                    "3",
                                    "--threads",
                                    "2",
                                    "--device",
                                    "cuda:1",
                                    "--transport",
                                    "host",
                                    "--deadline",
                                    "0.5",
                                    "--steps",
                                    "12",
                                    "--microbatch",
                                    "5",
                                    "--microbatches-per-update",
                                    "6",
                                    "--learning-rate",
                                    "0.75",
                                    "--momentum",
                                    "0.9",
                                    "--optimizer",
                                    "sgd",
                                    "--seed",
                                    "42",
                                    "--no-shuffle",
                                    "--trace",
                                    "t.json",
                                    "--losses",
                                    "l.csv",
                                    "--initial-weights",
                                    "i",
                                    "--save-initial",
                                    "a",
                                    "--save-weights",
                                    "b",
                                    "--log-level",
                                    "debug"});
  CHECK(options.plan == "p.json");
  CHECK(options.profile == "q.json");
  CHECK(options.algorithm == Algorithm::data_parallel);
  CHECK(options.workers == 3);
  CHECK(options.threads_per_worker == 2);
  CHECK(options.device == torch::Device(torch::kCUDA, 1));
  CHECK(options.transport == DeviceTransport::host);
  CHECK(options.deadline() == std::chrono::milliseconds(500));
  CHECK(options.steps == 12);
  CHECK(options.microbatch_size == 5);
  CHECK(options.microbatches_per_update == 6);
  CHECK(options.optimizer.settings.learning_rate == 0.75);
  CHECK(options.optimizer.settings.momentum == 0.9);
  CHECK(options.optimizer.settings.weight_decay == 0.125);
  CHECK(options.seed == 42);
  CHECK_FALSE(options.shuffle);
  CHECK(options.trace == "t.json");
  CHECK(options.losses == "l.csv");
  CHECK(options.initial_weights == "i");
  CHECK(options.save_initial == "a");
  CHECK(options.save_weights == "b");
  CHECK(options.log_level == "debug");
}

TEST_CASE("profile and evaluate have options of their own") {
  const Options profile = accepted({"profile", "-o", "p.json", "--repetitions", "3"});
  CHECK(profile.command == Command::profile);
  CHECK(profile.output == "p.json");
  CHECK(profile.repetitions == 3);
  const Options evaluate = accepted({"evaluate", "--weights", "w"});
  CHECK(evaluate.command == Command::evaluate);
  CHECK(evaluate.weights == "w");
}

TEST_CASE("another optimizer brings its own defaults and keeps the groups") {
  const Options options = accepted({"train", "--optimizer", "adam"});
  CHECK(options.optimizer.kind == OptimizerKind::adam);
  CHECK(options.optimizer.settings.learning_rate == AdamOptions{}.learning_rate);
  CHECK(options.optimizer.settings.weight_decay == 0);
  CHECK(options.optimizer.groups.size() == 1);
}

TEST_CASE("what is wrong is named in one message") {
  CHECK_THAT(refused({"train", "--epoch", "3"}), Contains("--epoch"));
  CHECK_THAT(refused({"trian"}), Contains("trian"));
  CHECK_THAT(refused({}), Contains("subcommand"));
  CHECK_THAT(refused({"train", "--epochs", "0"}), Contains("--epochs"));
  CHECK_THAT(refused({"train", "--steps", "x"}), Contains("--steps"));
  CHECK_THAT(refused({"train", "--steps", "3", "--epochs", "3"}), Contains("--epochs") && Contains("--steps"));
  CHECK_THAT(refused({"train", "--workers", "0"}), Contains("--workers"));
  CHECK_THAT(refused({"train", "--deadline", "0"}), Contains("--deadline"));
  CHECK_THAT(refused({"train", "--deadline", "nan"}), Contains("--deadline"));
  CHECK_THAT(refused({"train", "--algorithm", "gpipes"}), Contains("gpipes") && Contains("pipedream"));
  CHECK_THAT(refused({"train", "--optimizer", "lion"}), Contains("lion"));
  CHECK_THAT(refused({"train", "--learning-rate", "-1"}), Contains("--learning-rate"));
  CHECK_THAT(refused({"train", "--learning-rate", "inf"}), Contains("--learning-rate"));
  CHECK_THAT(refused({"train", "--optimizer", "adam", "--momentum", "0.9"}),
             Contains("--momentum") && Contains("adam"));
  CHECK_THAT(refused({"train", "--device", "gpu7x"}), Contains("--device gpu7x"));
  CHECK_THAT(refused({"train", "--transport", "smoke"}), Contains("--transport") && Contains("smoke"));
  CHECK_THAT(refused({"train", "--log-level", "loud"}), Contains("--log-level"));
  CHECK_THAT(refused({"train", "--plan", "p", "--straight"}), Contains("--plan") && Contains("--straight"));
  CHECK_THAT(refused({"train", "--seed", "-1"}), Contains("--seed"));
  CHECK_THAT(refused({"evaluate"}), Contains("--weights"));
}

TEST_CASE("help is no error") {
  const ParsedOptions parsed = parse({"train", "--help"});
  CHECK_FALSE(parsed.options);
  CHECK(parsed.exit_code == 0);
  CHECK_THAT(parsed.text, Contains("--microbatches-per-update"));
  CHECK_THAT(parse({"--version"}).text, Contains("tiny"));
}

TEST_CASE("schedules and clipping") {
  const OptimizerSpec spec =
      accepted({"train", "--schedule", "step:100:0.5", "--rate-warmup", "7", "--clip-norm", "2", "--clip-by", "stage"})
          .optimizer;
  CHECK(spec.schedule.shape == RateShape::step);
  CHECK(spec.schedule.step_microbatches == 100);
  CHECK(spec.schedule.step_factor == 0.5);
  CHECK(spec.schedule.warmup_microbatches == 7);
  CHECK(spec.clipping.max_norm == 2);
  CHECK(spec.clipping.scope == ClipScope::stage);
  CHECK(accepted({"train", "--schedule", "cosine"}).optimizer.schedule.shape == RateShape::cosine);
  CHECK(accepted({"train", "--clip-norm", "1"}).optimizer.clipping.scope == ClipScope::global);
  CHECK_THAT(refused({"train", "--schedule", "step:x:0.5"}), Contains("--schedule step:x:0.5: it must be"));
  CHECK_THAT(refused({"train", "--schedule", "step:5:0.5x"}), Contains("step:MICROBATCHES:FACTOR"));
  CHECK_THAT(refused({"train", "--clip-norm", "-1"}), Contains("--clip-norm -1"));
  CHECK_THAT(refused({"train", "--clip-by", "stage"}), Contains("needs --clip-norm"));
  CHECK_THAT(refused({"train", "--rate-warmup", "-3"}), Contains("--rate-warmup"));
}

TEST_CASE("depths of the stages") {
  const Options options = accepted({"train", "--warmup", "2,1,0", "--reduce-delay", "1,0,0"});
  CHECK(options.depths.warmup == std::vector<int>{2, 1, 0});
  CHECK(options.depths.reduce_delay == std::vector<int>{1, 0, 0});
  CHECK(options.changes_stages());
  CHECK_FALSE(accepted({"train"}).changes_stages());
  CHECK_FALSE(accepted({"train"}).simulates_depths);
  CHECK(accepted({"verify", "--cost-model", "pipedream", "--depths", "simulated"}).simulates_depths);
  // The default cost model does that anyway.
  CHECK_FALSE(accepted({"verify", "--depths", "simulated"}).simulates_depths);
  CHECK_THAT(refused({"train", "--depths", "least"}), Contains("the cost model simulated chooses depths itself"));
  CHECK_THAT(refused({"train", "--cost-model", "guess"}), Contains("unknown cost model \"guess\""));
  CHECK_THAT(refused({"train", "--depths", "deep"}), Contains("--depths"));
  CHECK_THAT(refused({"train", "--depths", "simulated", "--warmup", "1,0"}), Contains("excludes"));
  CHECK_THAT(refused({"train", "--depths", "simulated", "--plan", "p.json"}), Contains("excludes"));
  CHECK_THAT(refused({"train", "--warmup", "1,x"}), Contains("--warmup"));
}

TEST_CASE("segments, corrections and recomputation") {
  const Options options = accepted({"train", "--segments", "1f1b-flush:2,pipemare", "--corrections", "t1,t2",
                                    "--t1-microbatches", "50", "--recompute", "0,2"});
  REQUIRE(options.segments.size() == 2);
  CHECK(options.segments[0].algorithm == Algorithm::flush_1f1b);
  CHECK(options.segments[0].epochs == 2);
  CHECK(options.segments[1].algorithm == Algorithm::pipemare);
  CHECK(options.segments[1].epochs == 0);
  REQUIRE(options.corrections);
  CHECK(options.corrections->t1);
  CHECK(options.corrections->t2);
  CHECK_FALSE(options.corrections->spectrain);
  CHECK(options.corrections->annealing_microbatches == 50);
  REQUIRE(options.recompute);
  CHECK(options.recompute->stages == std::vector<int>{0, 2});
  CHECK_FALSE(accepted({"train"}).corrections);
  CHECK_FALSE(accepted({"train"}).recompute);
  CHECK(accepted({"train", "--corrections", "none"}).correction_specs()->empty());
  CHECK(accepted({"train", "--recompute", "all"}).recompute->all);
  CHECK_THAT(refused({"train", "--corrections", "t3"}), Contains("unknown correction \"t3\""));
  CHECK_THAT(refused({"train", "--corrections", "t1,t1"}), Contains("t1 is there twice"));
  CHECK_THAT(refused({"train", "--t2-decay", "1.5"}), Contains("T2's decay is 1.5"));
  CHECK_THAT(refused({"train", "--segments", "gpipe:0,pipedream"}), Contains("\"0\" is no whole number from 1 on"));
  CHECK_THAT(refused({"train", "--segments", "gpipe:1,magic"}), Contains("unknown algorithm"));
  CHECK_THAT(refused({"train", "--recompute", "1,x"}), Contains("--recompute 1,x"));
}

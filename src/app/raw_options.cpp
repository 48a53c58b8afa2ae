#include "app/raw_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "pipedream/algorithm.h"

namespace pipedream::detail {
namespace {

constexpr double kMaxDeadlineS = 1e9;
constexpr std::int64_t kMaxCount = std::int64_t{1} << 48;

const std::vector<std::string>& log_levels() {
  static const std::vector<std::string> levels{"trace", "debug", "info", "warning", "error", "off"};
  return levels;
}

const std::vector<std::string>& transports() {
  static const std::vector<std::string> names{"auto", "nccl", "host"};
  return names;
}

void add_depths(CLI::App& command, RawOptions& raw) {
  GivenDepths& given = raw.options.depths;
  auto* warmup = command.add_option("--warmup", given.warmup,
                                    "Forwards of each stage before its first (forward, backward) pair, as in 3,2,1,0; "
                                    "what the plan says unless told");
  auto* reduce_delay =
      command.add_option("--reduce-delay", given.reduce_delay,
                         "Rounds that each stage's all-reduce may run behind, as in 1,0; what the plan says unless "
                         "told");
  for (CLI::Option* option : {warmup, reduce_delay}) option->delimiter(',')->allow_extra_args(false);
  command
      .add_option("--depths", raw.depths,
                  "Warm-up of the stages that are planned here: least, or simulated for what also hides transfers, as "
                  "the cost model simulated always does")
      ->check(CLI::IsMember({"least", "simulated"}).description(""))
      ->excludes(warmup)
      ->excludes(reduce_delay)
      ->excludes("--plan");
}

void add_shuffle(CLI::App& command, Options& options) {
  command.add_flag("--shuffle,!--no-shuffle", options.shuffle, "Shuffle the training data in each epoch; the default");
}

}  // namespace

void add_common(CLI::App& command, RawOptions& raw) {
  Options& options = raw.options;
  command.add_option("--workers", options.workers, "Workers: threads, or under mpirun the number of ranks")
      ->check(CLI::Range(1, 1 << 16));
  command.add_option("--threads", options.threads_per_worker, "LibTorch's threads in each worker")
      ->check(CLI::Range(1, 1 << 12))
      ->capture_default_str();
  command.add_option("--device", raw.device, "Where the workers compute: cpu, cuda (one for each worker), or cuda:N")
      ->capture_default_str();
  command
      .add_option("--transport", raw.transport,
                  "What carries a device's tensors between processes: auto (NCCL where it can), nccl, or host")
      ->check(CLI::IsMember(transports()).description(""))
      ->capture_default_str();
  command.add_option("--deadline", options.deadline_s, "Seconds without progress anywhere that end the run")
      ->check(CLI::Range(0.001, kMaxDeadlineS))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Of initial weights, shuffling and dropout")
      ->check(CLI::NonNegativeNumber.description(""))  // the parser would wrap a negative number round
      ->capture_default_str();
  command.add_option("--microbatch", options.microbatch_size, "Samples in a microbatch")
      ->check(CLI::Range(std::int64_t{1}, kMaxCount))
      ->capture_default_str();
  command.add_option("--log-level", options.log_level, fmt::format("One of {}", fmt::join(log_levels(), ", ")))
      ->check(CLI::IsMember(log_levels()).description(""))
      ->capture_default_str();
}

void add_profile(CLI::App& command, Options& options) {
  command.add_option("-o,--output", options.output, "Write the profile to this file");
  command.add_option("--repetitions", options.repetitions, "Measurements of each layer; the median counts")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
}

void add_planning(CLI::App& command, RawOptions& raw) {
  Options& options = raw.options;
  command.add_option("--plan", options.plan, "Run this plan; without it, profile and plan first");
  command.add_option("--profile", options.profile, "Plan from this profile instead of measuring");
  command.add_option("--algorithm", raw.algorithm, fmt::format("One of {}; pipedream unless told", algorithm_names()));
  command
      .add_option("--cost-model", raw.cost_model,
                  fmt::format("What a plan that is made here is the best of: one of {}", cost_model_names()))
      ->capture_default_str()
      ->excludes("--plan");
  command.add_flag("--straight", options.straight, "Plan without replicas: each stage on one worker")
      ->excludes("--plan");
  add_depths(command, raw);
  command
      .add_option("--stages-per-worker", options.stages_per_worker,
                  "Of interleaved-1f1b; unless told the fastest of 2 to 8")
      ->excludes("--plan");
  command
      .add_option("--microbatches-per-update", options.microbatches_per_update,
                  "Microbatches in one update: unless told, of data-parallel one for each worker, of gpipe and "
                  "1f1b-flush four, "
                  "of pipedream-2bw the least that the depths allow, of pipemare one for each replica of the stage")
      ->check(CLI::Range(std::int64_t{1}, kMaxCount));
}

void add_algorithm(CLI::App& command, RawOptions& raw) {
  command.add_option("--corrections", raw.corrections,
                     "Delay corrections: none, or some of t1, t2, spectrain with commas between them; under pipemare "
                     "t1,t2 unless told");
  command
      .add_option("--t1-microbatches", raw.annealing_microbatches,
                  "Microbatches over which t1 raises the learning rate; a quarter of the run unless told")
      ->check(CLI::Range(std::int64_t{1}, kMaxCount));
  command.add_option("--recompute", raw.recompute,
                     "Stages that keep only a microbatch's inputs and repeat its forward: all, none, or numbers with "
                     "commas between them; what the plan says unless told");
  command.add_option("--t2-decay", raw.decay, "The constant D of t2, between 0 and 1; e^-2 unless told");
}

void add_training(CLI::App& command, RawOptions& raw) {
  Options& options = raw.options;
  auto* epochs = command.add_option("--epochs", options.epochs, "Passes over the training data")
                     ->check(CLI::Range(std::int64_t{1}, kMaxCount))
                     ->capture_default_str();
  command.add_option("--steps", options.steps, "Microbatches to train, instead of --epochs")
      ->check(CLI::Range(std::int64_t{1}, kMaxCount))
      ->excludes(epochs);
  command.add_option("--segments", raw.segments,
                     "Parts of the run under one algorithm each, ALGORITHM:EPOCHS with commas between them; the last "
                     "may leave its epochs out. 1f1b-flush:2,pipemare is PipeMare's T3");
  raw.optimizer.add_to(command);
  add_shuffle(command, options);
}

void add_verification(CLI::App& command, RawOptions& raw) {
  command.add_option("--steps", raw.options.steps, "Microbatches to compare; 16 unless told")
      ->check(CLI::Range(std::int64_t{1}, kMaxCount));
  command
      .add_option("--tolerance", raw.options.tolerance,
                  "Greatest relative difference that passes; unless told 0 (every bit) on the CPU with one thread a "
                  "worker, else 1e-5")
      ->check(CLI::NonNegativeNumber.description(""));
  raw.optimizer.add_to(command);
  add_shuffle(command, raw.options);
}

void add_files(CLI::App& command, Options& options) {
  command.add_option("--report", options.report,
                     "Write what was predicted and measured, for `pipedream compare` (JSON)");
  command.add_option("--recalibrate", options.recalibrate,
                     "Write the profile, corrected by what the run measured; with --plan it needs --profile");
  command.add_option("--trace", options.trace, "Write what each worker did when, for Perfetto (JSON)");
  command.add_option("--losses", options.losses, "Write the loss of every microbatch (CSV)");
  auto* staleness = command.add_option("--staleness", options.staleness,
                                       "Write how old the weights of every microbatch were in each stage (CSV)");
  command.add_flag("--distances", options.distances, "With the distance between old and new weights in --staleness")
      ->needs(staleness);
  command.add_option("--initial-weights", options.initial_weights, "Start from this safetensors file");
  command.add_option("--save-initial", options.save_initial, "Write the weights before training (safetensors)");
  command.add_option("--save-weights", options.save_weights, "Write the weights after training (safetensors)");
}

}  // namespace pipedream::detail

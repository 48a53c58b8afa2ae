#include "exactness.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compare.h"

namespace pipedream::testing {
namespace {

template <class Field>
std::string by_stage(const Plan& plan, const char* separator, Field field) {
  std::vector<int> values;
  for (const StagePlan& stage : plan.stages) values.push_back(field(stage));
  return fmt::format("{}", fmt::join(values, separator));
}

}  // namespace

std::string describe(const ExactnessCase& example) {
  std::vector<std::string> stages;
  for (const StagePlan& stage : example.plan.stages) stages.push_back(fmt::format("{}", fmt::join(stage.layers, " ")));
  return fmt::format("{}, {} {} warm-up {} delay {}, {} an update, {}, segments of {}, stages [{}]", example.model.name,
                     to_string(example.plan.algorithm),
                     by_stage(example.plan, "-", [](const StagePlan& stage) { return stage.replicas(); }),
                     by_stage(example.plan, ",", [](const StagePlan& stage) { return stage.warmup; }),
                     by_stage(example.plan, ",", [](const StagePlan& stage) { return stage.reduce_delay; }),
                     example.plan.microbatches_per_update, to_string(example.optimizer.kind),
                     fmt::join(example.segments, ", "), fmt::join(stages, "] ["));
}

WorkerRun run_worker(const ExactnessCase& example, Communicator& comm) {
  Trainer trainer(example.model.graph, example.plan, comm,
                  {.optimizer = example.optimizer,
                   .corrections = corrections(example.corrections),
                   .seed = example.seed,
                   .device = example.device});
  trainer.record_input_gradients(true);
  WorkerRun run;
  run.stages = trainer.stages();
  const auto train = [&](std::int64_t steps, const std::vector<TrainSegment>& segments) {
    const TrainResult result = trainer.train(
        *example.model.data,
        {.steps = steps, .segments = segments, .microbatch_size = example.microbatch_size, .shuffle = example.shuffle});
    run.losses.insert(run.losses.end(), result.losses.begin(), result.losses.end());
    run.counters.push_back(trainer.counters());
  };
  for (const std::int64_t steps : example.segments) train(steps, {});
  std::int64_t mixed = 0;
  for (const TrainSegment& segment : example.mixed) mixed += segment.steps;
  if (mixed > 0) train(mixed, example.mixed);
  run.weights = trainer.weights();
  for (const int stage : run.stages) {
    for (const auto& [microbatch, gradients] : trainer.input_gradients(stage)) {
      Tensors& kept = run.input_gradients[stage][microbatch];
      for (const torch::Tensor& gradient : gradients) {
        if (gradient.defined()) kept.push_back(gradient);
      }
    }
  }
  return run;
}

std::vector<WorkerRun> run_workers(const ExactnessCase& example) {
  std::vector<WorkerRun> runs(static_cast<std::size_t>(example.plan.workers()));
  run_test_workers(example.plan.workers(), [&](Communicator& comm) {
    runs[static_cast<std::size_t>(comm.rank())] = run_worker(example, comm);
  });
  return runs;
}

Replay replay(const ExactnessCase& example, Mutation mutation, int mutated_stage) {
  Replay oracle(example.model.graph, example.plan,
                {.optimizer = example.optimizer,
                 .seed = example.seed,
                 .microbatch_size = example.microbatch_size,
                 .shuffle = example.shuffle,
                 .corrections = example.corrections,
                 .mutation = mutation,
                 .mutated_stage = mutated_stage,
                 .device = example.device});
  for (const std::int64_t microbatches : example.segments) oracle.train(*example.model.data, microbatches);
  for (const TrainSegment& segment : example.mixed) {
    oracle.train(*example.model.data, segment.steps, with_algorithm(example.plan, segment.algorithm));
  }
  return oracle;
}

std::string difference(const WorkerRun& run, const Replay& expected) {
  std::string found = difference(run.losses, expected.losses());
  if (!found.empty()) return found;
  for (const auto& [stage, of_stage] : run.input_gradients) {
    for (const auto& [microbatch, gradients] : of_stage) {
      found = difference(gradients, expected.input_gradients(stage, microbatch));
      if (!found.empty())
        return fmt::format("input gradients of stage {}, microbatch {}: {}", stage, microbatch, found);
    }
  }
  return difference(run.weights, expected.weights());
}

std::string difference(const ExactnessCase& example, const std::vector<WorkerRun>& runs, const Replay& expected) {
  std::vector<std::size_t> recorded(example.plan.stages.size());
  for (std::size_t rank = 0; rank < runs.size(); ++rank) {
    const std::string found = difference(runs[rank], expected);
    if (!found.empty()) return fmt::format("{}: worker {}: {}", describe(example), rank, found);
    for (const auto& [stage, of_stage] : runs[rank].input_gradients) {
      recorded[static_cast<std::size_t>(stage)] += of_stage.size();
    }
  }
  // Every microbatch must have been compared in every stage.
  for (std::size_t s = 0; s < recorded.size(); ++s) {
    if (recorded[s] == expected.losses().size()) continue;
    return fmt::format("{}: stage {} recorded {} of {} microbatches", describe(example), s, recorded[s],
                       expected.losses().size());
  }
  return "";
}

std::string check_in_threads(const ExactnessCase& example) {
  device_faults();  // those of a run that failed are not this one's
  const std::vector<WorkerRun> runs = run_workers(example);
  const std::string faults = device_faults();
  if (!faults.empty()) return fmt::format("{}: {}", describe(example), faults);
  return difference(example, runs, replay(example));
}

}  // namespace pipedream::testing

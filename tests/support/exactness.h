// Runs a trainer and the oracle on the same case and says in words where they differ, bit for bit.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/optimizer.h"
#include "pipedream/plan.h"
#include "pipedream/trainer.h"
#include "pipedream/weights.h"
#include "support/models.h"
#include "support/test_device.h"
#include "verify/replay.h"

namespace pipedream::testing {

using detail::Mutation;
using detail::Replay;

struct ExactnessCase {
  TestModel model;
  Plan plan;
  OptimizerSpec optimizer = sgd({.learning_rate = 0.1});
  std::vector<std::int64_t> segments = {9};  // microbatches of each train() call
  std::vector<TrainSegment> mixed = {};      // one more call, with these (their steps given)
  CorrectionChoice corrections = {};        // of pipemare
  std::int64_t microbatch_size = 4;
  bool shuffle = true;
  std::uint64_t seed = 5;
  torch::Device device = test_device();
};

// "skip, pipedream 2-1 warm-up 1,0 delay 0,0, segments of 9": for messages.
std::string describe(const ExactnessCase& example);

// What one worker of a run ended with.
struct WorkerRun {
  std::vector<int> stages;
  std::vector<float> losses;
  NamedTensors weights;
  // By stage and microbatch; of the received tensors that have one.
  std::map<int, std::map<std::int64_t, Tensors>> input_gradients;
  std::vector<RuntimeCounters> counters;  // after each segment
};

WorkerRun run_worker(const ExactnessCase& example, Communicator& comm);
// By rank; the workers are threads.
std::vector<WorkerRun> run_workers(const ExactnessCase& example);

Replay replay(const ExactnessCase& example, Mutation mutation = Mutation::none, int mutated_stage = 0);

// Empty where every bit agrees.
std::string difference(const WorkerRun& run, const Replay& expected);
// The same over all workers of a run in threads, worker and case named.
std::string difference(const ExactnessCase& example, const std::vector<WorkerRun>& runs, const Replay& expected);
// Runs both and compares.
std::string check_in_threads(const ExactnessCase& example);

}  // namespace pipedream::testing

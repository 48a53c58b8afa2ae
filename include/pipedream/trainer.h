// Trains a layer graph under a plan. One Trainer a worker; all calls are collective: every worker makes them in the
// same order with the same arguments.
//
//   Trainer trainer(graph, plan, comm, {.optimizer = sgd({.learning_rate = 0.05}), .seed = 1});
//   TrainResult result = trainer.train(data, {.epochs = 10, .microbatch_size = 32});
//   EvaluationResult test = trainer.evaluate(test_data, 32);
//   trainer.save_weights("model.safetensors");
//
// Errors: the constructor and the first part of each call agree among all workers before anything is trained; a mistake
// of one (bad plan, different plans, unreadable file) throws the same ConfigError on all. Later failures throw on every
// worker, with the cause of the first.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/data.h"
#include "pipedream/delay_correction.h"
#include "pipedream/layer_graph.h"
#include "pipedream/optimizer.h"
#include "pipedream/plan.h"
#include "pipedream/timeline.h"

namespace pipedream {

struct TrainerOptions {
  OptimizerSpec optimizer = {};
  // Of asynchronous segments; not given: T1 and T2 under pipemare, else none.
  std::optional<std::vector<DelayCorrectionSpec>> corrections = std::nullopt;
  std::uint64_t seed = 1;
  torch::Device device = torch::kCPU;
  int threads_per_worker = 1;                                      // LibTorch's threads for one operator
  std::chrono::milliseconds deadline = std::chrono::seconds(300);  // without progress anywhere
  double first_deadline_factor = 4;  // for the first microbatch, which allocates and loads
  // Counts what LibTorch allocates until the first train call's pipeline has been full (RuntimeCounters::peak_bytes);
  // until then an allocation takes some 0.1 us longer, and a profiler of the caller's sees no memory.
  bool measure_memory = false;
};

struct TrainProgress {
  std::int64_t microbatches = 0;  // done by the reporting worker's stage, of `total`
  std::int64_t total = 0;
  double loss = 0;  // mean since the last report
  double samples_per_second = 0;
  double seconds_left = 0;
};

// A part of a run under one algorithm; the pipeline is drained at its end. PipeMare's T3, epochs that are synchronous
// before the asynchronous ones, is a list of two of them.
struct TrainSegment {
  Algorithm algorithm = Algorithm::pipedream;
  std::int64_t epochs = 0;                   // or
  std::int64_t steps = 0;                    // microbatches; both 0 in the last segment only: the rest of the call
  std::int64_t microbatches_per_update = 0;  // 0: the plan's where the algorithm leaves a choice
};

// What is recorded of how old the weights are that microbatches meet.
enum class StalenessTelemetry {
  off,
  versions,   // which version a forward saw, and which was the newest at the backward
  distances,  // and how far the two are apart, which reads all weights once more for each stale microbatch
};

struct TrainOptions {
  std::int64_t epochs = 1;
  std::int64_t steps = 0;  // microbatches to train, instead of epochs, where positive
  // In order; weights, optimizer state and the position in the data go on from one to the next. Without them all is one
  // segment under the plan's algorithm.
  std::vector<TrainSegment> segments = {};
  std::int64_t microbatch_size = 32;
  bool shuffle = true;
  // Called on the worker that computes the losses (replica 0 of the last stage), at most every `progress_every`.
  std::function<void(const TrainProgress&)> on_progress = nullptr;
  std::chrono::milliseconds progress_every = std::chrono::milliseconds(200);
  StalenessTelemetry staleness = StalenessTelemetry::off;
  // Asked between microbatches on every worker; when one says yes, all of them end after the same microbatch, drained.
  std::function<bool()> stop_requested = nullptr;
};

struct TrainResult {
  std::int64_t first_microbatch = 0;  // position in the run's data at the start
  std::int64_t microbatches = 0;
  std::int64_t samples = 0;
  std::vector<float> losses;                    // of every microbatch in order, on every worker
  double mean_loss = 0;                         // over the last epoch (or what there was of it), weighted
  double seconds = 0;                           // first action to last, on the slowest worker
  bool stopped = false;                         // by stop_requested
  std::vector<StalenessRecord> staleness = {};  // where asked for: by microbatch and stage, on every worker
};

struct EvaluationResult {
  double loss = 0;
  std::map<std::string, double> metrics;
  std::int64_t samples = 0;
  double metric(const std::string& name) const;  // throws ConfigError that lists the names
};

// Counters of this worker, all its stages together, for tests and telemetry.
struct RuntimeCounters {
  int peak_versions = 0;             // weight versions held, the newest included
  std::int64_t version_buffers = 0;  // flat buffers ever allocated
  std::int64_t version_copies = 0;   // updates that had to keep the version before them
  std::int64_t updates = 0;
  std::int64_t peak_in_flight = 0;  // microbatches between forward and backward
  std::int64_t peak_bytes = 0;      // allocated by LibTorch; 0 where TrainerOptions::measure_memory was not set
};

class Trainer {
 public:
  Trainer(const LayerGraph& graph, Plan plan, Communicator& comm, TrainerOptions options = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Continues where the last call stopped in the data. The data must outlive the call.
  TrainResult train(const Dataset& data, const TrainOptions& options = {});

  // Forward only, through the same pipeline, in file order; leaves the training state as it was, bit for bit.
  EvaluationResult evaluate(const Dataset& data, std::int64_t microbatch_size = 32);

  // All parameters and buffers by "layer.parameter"; gathered on worker 0, which writes the file. Buffers of replicas
  // are averaged.
  void save_weights(const std::filesystem::path& path);
  // By name; throws ConfigError on missing or misfitting tensors. strict = false: absent layers keep their values.
  void load_weights(const std::filesystem::path& path, bool strict = true);
  // The same as values, on every worker.
  std::map<std::string, torch::Tensor> weights();

  // Of the last train or evaluate call (its last segment), gathered on every worker.
  Timeline timeline();
  RuntimeCounters counters() const;
  std::vector<RuntimeCounters> counters_of_workers();  // collective
  const Plan& plan() const;
  const std::vector<int>& stages() const;  // of this worker, ascending
  // Gradients of a stage's inputs, recorded per microbatch when switched on: for tests that compare them.
  void record_input_gradients(bool on);
  const std::map<std::int64_t, Tensors>& input_gradients(int stage) const;
  // Gradients of a stage's parameters from each microbatch, by "layer.parameter", recorded when switched on; undefined
  // where none came.
  void record_gradients(bool on);
  const std::map<std::int64_t, std::map<std::string, torch::Tensor>>& gradients(int stage) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pipedream

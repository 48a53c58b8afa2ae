// Training of one stage on one worker: its layers, weight versions, gradients and optimizer, driven action by action.
// It knows which version a microbatch runs with because the action says so; it does not know the schedule. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "pipedream/action.h"
#include "pipedream/trainer.h"
#include "runtime/accumulator.h"
#include "runtime/clipping.h"
#include "runtime/pass.h"
#include "runtime/stage.h"
#include "runtime/stage_corrections.h"
#include "runtime/stage_optimizer.h"
#include "runtime/versions.h"

namespace pipedream::detail {

// What a worker needs to know of a segment before its first action.
struct SegmentStart {
  const Plan& plan;                    // with the segment's algorithm
  std::int64_t first_microbatch = 0;   // of the run
  std::int64_t call_microbatches = 0;  // of the train call that the segment is part of
  double nominal_weight = 1;           // n*
  StalenessTelemetry staleness = StalenessTelemetry::off;
  OnScores on_scores = nullptr;
};

class StageWorker : public PassCompute {
 public:
  // clipper: the worker's, which must outlive this.
  StageWorker(const LayerGraph& graph, const Plan& plan, int stage, Communicator& comm, const TrainerOptions& options,
              int reduce_id, GradientClipper& clipper);

  Stage& stage() { return stage_; }
  const Stage& stage() const { return stage_; }
  VersionStore& versions() { return versions_; }
  ReduceGroup* group() { return group_; }
  // As the clipper is to know this stage.
  ClippedStage clipped_stage();
  // Throws ConfigError where the delay corrections do not fit the plan's algorithm.
  void check_corrections(const Plan& plan) const;
  // Versions in actions count from the newest at this moment; microbatches from the segment's first.
  void start_segment(SegmentStart start);

  std::vector<Message> forward(const Action& action, const Tensors& data, std::vector<Message> incoming) override;
  std::vector<Message> backward(const Action& action, std::vector<Message> gradients) override;
  void reduce_post(const Action& action) override;
  void reduce_wait(const Action& action) override;
  void update(const Action& action) override;
  void finish() override { scores_.finish(); }

  RuntimeCounters counters() const;
  bool recording_input_gradients = false;
  std::map<std::int64_t, Tensors> input_gradients;  // by microbatch of the run
  std::vector<StalenessRecord> staleness;           // of the microbatches so far, where asked for
  bool recording_gradients = false;
  std::map<std::int64_t, std::map<std::string, torch::Tensor>> gradients;  // of parameters, by microbatch of the run

 private:
  // A microbatch between its forward and its backward.
  struct InFlight {
    Activations activations;  // only the weight where inputs are kept
    StageInputs inputs;
    std::int64_t version = 0;  // that the forward saw
  };

  void recompute(std::int64_t microbatch, InFlight& in_flight);
  void note_staleness(const Action& backward, std::int64_t forward_version);
  StageCorrections make_corrections(const Plan& plan, std::int64_t call_microbatches) const;
  void show_weights(const Action& action);
  const Tensors& due_gradients();
  double learning_rate_factor(const Action& action) const;
  void record(std::int64_t microbatch, const BackwardResult& result);

  Stage stage_;
  VersionStore versions_;
  StageOptimizer optimizer_;
  ReduceGroup* group_ = nullptr;  // owned by the accumulator
  GradientAccumulator accumulator_;
  int replicas_;
  bool is_first_replica_;
  bool scales_by_replicas_;
  LearningRateSchedule schedule_;
  GradientClipper& clipper_;
  std::optional<Tensors> due_gradients_;  // of the update that comes next, once somebody has asked
  std::optional<std::vector<DelayCorrectionSpec>> specs_;
  std::optional<StageCorrections> corrections_;
  std::optional<Algorithm> corrected_;  // the algorithm that they were made for
  std::int64_t first_corrected_ = 0;    // microbatch of the run with which they came into use
  std::int64_t per_update_ = 1;         // microbatches
  double replica_scale_ = 1;            // updates of stage 0 for one of this stage, where the learning rate follows
  bool scales_ragged_rounds_ = false;
  bool one_gradient_an_update_ = false;
  std::int64_t first_microbatch_ = 0;
  std::int64_t base_version_ = 0;
  bool recomputes_ = false;
  bool overwrites_ = false;  // a forward's weights are gone at its backward
  StalenessTelemetry telemetry_ = StalenessTelemetry::off;
  std::unordered_map<std::int64_t, InFlight> in_flight_;
  ScoreReader scores_;
  RuntimeCounters counters_;
};

}  // namespace pipedream::detail

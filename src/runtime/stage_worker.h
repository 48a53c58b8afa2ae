// Training of one stage on one worker: its layers, weight versions, gradients and optimizer, driven action by action.
// It knows which version a microbatch runs with because the action says so; it does not know the schedule. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "pipedream/action.h"
#include "pipedream/trainer.h"
#include "runtime/accumulator.h"
#include "runtime/pass.h"
#include "runtime/stage.h"
#include "runtime/stage_optimizer.h"
#include "runtime/versions.h"

namespace pipedream::detail {

class StageWorker : public PassCompute {
 public:
  StageWorker(const LayerGraph& graph, const Plan& plan, int stage, Communicator& comm, const TrainerOptions& options,
              int reduce_id);

  Stage& stage() { return stage_; }
  VersionStore& versions() { return versions_; }
  ReduceGroup* group() { return group_; }
  // Versions in actions count from the newest at this moment; microbatches from `first_microbatch` of the run.
  void start_segment(std::int64_t first_microbatch, double nominal_weight, OnScores on_scores);

  std::vector<Message> forward(const Action& action, const Tensors& data, std::vector<Message> incoming) override;
  std::vector<Message> backward(const Action& action, std::vector<Message> gradients) override;
  void reduce_post(const Action& action) override;
  void reduce_wait(const Action& action) override;
  void update(const Action& action) override;
  void finish() override { scores_.finish(); }

  RuntimeCounters counters() const;
  bool recording_input_gradients = false;
  std::map<std::int64_t, Tensors> input_gradients;  // by microbatch of the run

 private:
  double learning_rate_factor(const Action& action) const;
  void record(std::int64_t microbatch, const std::vector<Tensors>& gradients);

  Stage stage_;
  VersionStore versions_;
  StageOptimizer optimizer_;
  ReduceGroup* group_ = nullptr;  // owned by the accumulator
  GradientAccumulator accumulator_;
  int replicas_;
  std::int64_t per_update_ = 1;  // microbatches
  double replica_scale_;  // r_s / r_0 where the learning rate follows it
  bool scales_ragged_rounds_;
  bool one_gradient_an_update_;
  std::int64_t first_microbatch_ = 0;
  std::int64_t base_version_ = 0;
  std::unordered_map<std::int64_t, Activations> in_flight_;
  ScoreReader scores_;
  RuntimeCounters counters_;
};

}  // namespace pipedream::detail

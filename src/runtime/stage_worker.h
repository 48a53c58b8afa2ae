// One stage on one worker: its layers, weight versions, gradients and optimizer, driven action by action. It knows
// which version a microbatch runs with because the action says so; it does not know the schedule. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "pipedream/action.h"
#include "pipedream/trainer.h"
#include "runtime/accumulator.h"
#include "runtime/stage.h"
#include "runtime/stage_optimizer.h"
#include "runtime/versions.h"

namespace pipedream::detail {

// A microbatch's loss and metrics, where they are computed.
struct Scores {
  std::int64_t microbatch = 0;  // of the segment
  double loss = 0;
  double weight = 0;
  std::vector<double> metrics;
  std::vector<double> metric_weights;
};

class StageWorker {
 public:
  StageWorker(const LayerGraph& graph, const Plan& plan, int stage, Communicator& comm, const TrainerOptions& options,
              int reduce_id);

  Stage& stage() { return stage_; }
  VersionStore& versions() { return versions_; }
  ReduceGroup* group() { return group_; }
  // Versions in actions count from the newest at this moment; microbatches from `first_microbatch` of the run.
  void start_segment(std::int64_t first_microbatch, double nominal_weight);

  // incoming, gradients and results: by link, as stage.h has them.
  std::vector<Tensors> forward(const Action& action, const Tensors& data, const std::vector<Tensors>& incoming);
  std::vector<Tensors> evaluate(const Action& action, const Tensors& data, const std::vector<Tensors>& incoming);
  std::vector<Tensors> backward(const Action& action, const std::vector<Tensors>& gradients, double weight);
  void reduce_post(const Action& action);
  void reduce_wait() { accumulator_.reduce_wait(); }
  void update(const Action& action);

  // A first forward and backward that change nothing (stage.h).
  std::vector<Tensors> probe_forward(const Tensors& data, const std::vector<Tensors>& incoming, StageTraits& traits);
  std::vector<Tensors> probe_backward(const std::vector<Tensors>& gradients);

  // Of the microbatch whose forward came last or is in flight.
  double weight(std::int64_t microbatch) const { return in_flight_.at(microbatch).weight; }
  std::vector<Scores> take_scores() { return std::move(scores_); }
  RuntimeCounters counters() const;
  bool recording_input_gradients = false;
  std::map<std::int64_t, Tensors> input_gradients;  // by microbatch of the run

 private:
  double learning_rate_factor(const Action& action) const;

  Stage stage_;
  VersionStore versions_;
  StageOptimizer optimizer_;
  ReduceGroup* group_ = nullptr;  // owned by the accumulator
  GradientAccumulator accumulator_;
  int replicas_;
  double replica_scale_;           // r_s / r_0 where the learning rate follows it
  bool scales_ragged_rounds_;
  bool one_gradient_an_update_;
  std::int64_t first_microbatch_ = 0;
  std::int64_t base_version_ = 0;
  std::unordered_map<std::int64_t, Activations> in_flight_;
  std::vector<Scores> scores_;
  Tensors probe_buffers_;
  RuntimeCounters counters_;
};

}  // namespace pipedream::detail

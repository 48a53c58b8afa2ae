// The oracle: one process computes what a distributed run must compute, from the definitions of docs/algorithms.md and
// nothing else. It knows no schedule, no message and no version store; it keeps a plain clone of every version of every
// stage, and runs microbatch after microbatch, forward and backward, each at the version that the table names.
//
// Every layer has its own autograd graph, so sums over several consumers happen here, in graph order, not in LibTorch.
// A microbatch's weights are copied into the modules before its forward; nothing is in flight but that microbatch.
//
// Where the definitions leave a choice, this is the one taken:
// - learning rate of an update: rate * ((m_s / m_0) * (present / m_s)) in double, m_s the microbatches that an update
//   of stage s covers, the first factor where replicas scale it, the second for an update that the segment's end cuts
//   short; both only for asynchronous algorithms, so that a synchronous update is the mean of what it covers, whatever
//   the plan; then times the schedule's factor, then times that of T1;
// - n* is the microbatch size that the run asked for; a last microbatch that is smaller has n_k < n*;
// - gradients take the memory layout of their parameter before anything is computed with them;
// - a parameter to which no path leads from the loss is left alone by the optimizer;
// - buffers of replicas: floating ones are summed in replica order and divided by r_s, others are replica 0's;
// - PipeMare's T2 and SpecTrain: products are rounded before they are added, per element, in float.
//
// One thread. Throws std::logic_error where a version is needed before it exists, which would be a fault of the table.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipedream/data.h"
#include "pipedream/delay_correction.h"
#include "pipedream/layer_graph.h"
#include "pipedream/optimizer.h"
#include "pipedream/plan.h"
#include "pipedream/weights.h"
#include "verify/replay_model.h"

namespace pipedream::detail {

// A deliberate mistake: a test that compares with a mutated replay must see a difference, or it could not fail.
enum class Mutation {
  none,
  newer_version,     // one stage uses version v+1 where it exists already
  older_version,     // one stage uses version v-1 where there is one
  wrong_seed,        // layers draw as for the next microbatch
  reversed_sums,     // sums over microbatches, replicas and consumers run backwards
  no_rate_scale,     // the learning rate ignores replicas
  no_stash_restore,  // the backward of one stage sees its newest weights
  stashed_backward,  // where the backward should see the newest weights, that of one stage sees those of its forward
  no_correction,     // the delay corrections of one stage are left out
  no_clipping,       // gradients keep their norm
};

struct ReplayOptions {
  OptimizerSpec optimizer;
  std::uint64_t seed = 1;
  std::int64_t microbatch_size = 4;
  bool shuffle = true;
  bool record_gradients = false;      // of parameters, for gradients()
  CorrectionChoice corrections = {};  // T1's microbatches given
  Mutation mutation = Mutation::none;
  int mutated_stage = 0;  // for the mutations of one stage
  torch::Device device = torch::kCPU;
};

class Replay {
 public:
  Replay(const LayerGraph& graph, Plan plan, ReplayOptions options);
  Replay(Replay&&) noexcept;
  ~Replay();

  // One segment: the next `microbatches` of the run, then a drain.
  void train(const Dataset& data, std::int64_t microbatches);
  // Under another plan of the same stages.
  void train(const Dataset& data, std::int64_t microbatches, const Plan& plan);

  // Mean loss over the data in file order, with the newest weights and averaged buffers, modules in evaluation mode:
  // sum of n_k * loss_k over sum of n_k, in double.
  double evaluate(const Dataset& data, std::int64_t microbatch_size);

  // Of all microbatches so far.
  const std::vector<float>& losses() const { return losses_; }
  // Gradients of the tensors that a stage received for a microbatch and that need one, in graph order of the tensors;
  // of a tensor with three or more uses, one for each use in this stage.
  const Tensors& input_gradients(int stage, std::int64_t microbatch) const;
  // Gradients of a stage's parameters from one microbatch of the run, by "layer.parameter"; undefined where none came.
  // Where they are recorded.
  const NamedTensors& gradients(int stage, std::int64_t microbatch) const;
  // The newest weights, and the buffers averaged over replicas, by "layer.parameter".
  NamedTensors weights() const;
  // All versions of a stage, oldest first, each in the order of the stage's parameters.
  const std::vector<Tensors>& versions(int stage) const;

 private:
  struct Stage;
  // An update that a stage is to make: the mean gradient, and how many microbatches it covers.
  struct Due {
    Stage* stage;
    Tensors gradient;
    double present;
  };

  std::int64_t version(const Stage& stage, std::int64_t k) const;
  bool is_on_one_copy() const;
  double delay(const Stage& stage) const;
  bool corrects(const Stage& stage) const;
  Tensors forward_weights(const Stage& stage, std::int64_t k) const;
  Tensors backward_weights(const Stage& stage) const;
  std::int64_t version_to_use(const Stage& stage, std::int64_t k) const;
  void run_microbatch(const std::map<std::string, torch::Tensor>& data, std::int64_t k);
  Tensors received_gradients(std::size_t stage, const MicrobatchGradients& gradients) const;
  Due take_update(Stage& stage) const;
  void clip(const std::vector<Due>& updates) const;
  void update(const Due& due);
  double rate_factor(const Stage& stage, double present) const;
  Tensors averaged_buffers(const Stage& stage) const;

  Plan plan_;
  ReplayOptions options_;
  ReplayModel model_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::int64_t first_microbatch_ = 0;  // of the segment, in the run
  std::int64_t first_corrected_ = 0;   // with which the corrections came into use
  std::vector<float> losses_;
  std::vector<std::map<std::int64_t, Tensors>> input_gradients_;  // by stage
  std::vector<std::map<std::int64_t, NamedTensors>> gradients_;
};

}  // namespace pipedream::detail

// What a stage takes for one microbatch when nothing but computing is left: forward, backward, and one plain in-place
// optimizer step, on random data. No messages, no weight versions, no schedule.
#pragma once

#include <memory>
#include <vector>

#include "models.h"
#include "pipedream/communicator.h"

namespace torch::optim {
class Optimizer;
}

namespace pipedream::bench {

// The stage's modules, made by the graph's factories and called one after the other; `backward()` and torch::optim::SGD
// as in any LibTorch program. The runtime's own Stage takes no part.
class PlainStage {
 public:
  PlainStage(const Workload& work, int stage);
  ~PlainStage();
  PlainStage(const PlainStage&) = delete;
  PlainStage& operator=(const PlainStage&) = delete;

  // Microseconds for one microbatch, mean over `microbatches`.
  double microbatch_us(int microbatches);

 private:
  void train_one();

  torch::Device device_;
  bool receives_;  // its input, whose gradient it then computes too
  std::vector<LayerInstance> layers_;
  std::unique_ptr<WeightedLayer> loss_;  // in the last stage
  torch::Tensor input_;
  torch::Tensor output_gradient_;
  torch::Tensor target_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
};

// Collective: the slowest stage's time while all compute at once.
double bound_us(Communicator& comm, PlainStage& stage, int microbatches);

}  // namespace pipedream::bench

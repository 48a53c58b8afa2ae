// Clips the gradients of an update by their norm. One for each worker, for all of its stages; one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/layer_graph.h"
#include "pipedream/optimizer.h"

namespace pipedream::detail {

// A stage whose gradients count in the norm of the whole model.
struct ClippedStage {
  std::vector<std::string> parameters;        // "layer.parameter", in the stage's order
  std::function<const Tensors&()> gradients;  // of the update that is due, complete
  bool counts = true;                         // the first replica of a stage does
};

class GradientClipper {
 public:
  explicit GradientClipper(const Clipping& clipping) : clipping_(clipping) {}

  // Collective over all workers: the worker's stages, ascending. For the global norm only; else it does nothing.
  void open(const LayerGraph& graph, std::vector<ClippedStage> stages, Communicator& comm, int reduce_id);

  // Throws ConfigError where the algorithm does not allow the norm that is asked for.
  void check(Algorithm algorithm) const;

  // The gradients of a stage's update, in place; undefined ones count as zeros. With the global norm all stages of all
  // workers come here once for each of their updates, and the first of a worker waits for the other workers.
  void clip(const Tensors& gradients);

 private:
  torch::Tensor global_squares() const;
  torch::Tensor factor_of(const torch::Tensor& squares) const;

  Clipping clipping_;
  std::vector<ClippedStage> stages_;
  std::unique_ptr<ReduceGroup> all_workers_;       // more than one worker
  std::vector<std::vector<std::int64_t>> places_;  // by stage: of its parameters among all, in graph order
  std::int64_t parameters_ = 0;                    // of all workers
  std::vector<bool> present_;                      // workers that count something
  torch::Tensor factor_;                           // of the update that is being made
  std::size_t stages_left_ = 0;                    // that have yet to use it
};

}  // namespace pipedream::detail

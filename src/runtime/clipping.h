// Clips the gradients of an update by their norm. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/layer_graph.h"
#include "pipedream/optimizer.h"
#include "pipedream/plan.h"

namespace pipedream::detail {

class GradientClipper {
 public:
  explicit GradientClipper(const Clipping& clipping) : clipping_(clipping) {}

  // Collective over all workers, where the norm is the whole model's: which of its parameters are this worker's, and
  // the group that adds up. parameters: "layer.parameter", in the stage's order. Only the first replica of a stage
  // `counts`.
  void open(const LayerGraph& graph, const std::vector<std::string>& parameters, bool counts, Communicator& comm,
            int reduce_id);

  // Throws ConfigError where the algorithm does not allow the norm that is asked for.
  void check(Algorithm algorithm) const;

  // In place; undefined gradients count as zeros. With the global norm all workers call it together.
  void clip(const Tensors& gradients);

 private:
  torch::Tensor squares_of(const Tensors& gradients) const;
  void add_up(torch::Tensor& squares);

  Clipping clipping_;
  std::unique_ptr<ReduceGroup> all_workers_;  // global, more than one worker
  std::vector<std::int64_t> places_;          // of the own parameters among all, in graph order
  std::int64_t parameters_ = 0;               // of all stages
  std::vector<bool> counts_;                  // by worker
};

}  // namespace pipedream::detail

// The optimizer of one stage: a torch::optim optimizer over the master weights, parameter groups by name.
#pragma once

#include <torch/optim/optimizer.h>

#include <memory>
#include <string>
#include <vector>

#include "pipedream/layer_graph.h"
#include "pipedream/optimizer.h"

namespace pipedream::detail {

class StageOptimizer {
 public:
  // masters and names by parameter.
  StageOptimizer(const OptimizerSpec& spec, const Tensors& masters, const std::vector<std::string>& names);

  // One step with these gradients (undefined: the parameter is left alone). learning_rate_factor multiplies every
  // group's rate; a factor of exactly 1 is not applied.
  void step(const Tensors& gradients, double learning_rate_factor);

 private:
  Tensors masters_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;  // none without parameters
  std::vector<double> learning_rates_;                  // by group
};

// Does the learning rate follow the number of replicas (SEMANTICS: SGD yes, Adam-like no, unless told)?
bool scales_by_replicas(const OptimizerSpec& spec);

}  // namespace pipedream::detail

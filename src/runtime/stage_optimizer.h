// The optimizer of one stage: a torch::optim optimizer over the master weights, parameter groups by name.
#pragma once

#include <torch/optim/optimizer.h>

#include <memory>
#include <string>
#include <vector>

#include "pipedream/layer_graph.h"
#include "pipedream/optimizer.h"
#include "runtime/out_of_place_sgd.h"
#include "runtime/versions.h"

namespace pipedream::detail {

class StageOptimizer {
 public:
  // masters and names by parameter.
  StageOptimizer(const OptimizerSpec& spec, const Tensors& masters, const std::vector<std::string>& names);

  // How updates that keep the old version are to be made.
  KeepOld keep_old() const { return sgd_ != nullptr ? KeepOld::read : KeepOld::copy; }

  // One step with these gradients (undefined: the parameter is left alone). learning_rate_factor multiplies every
  // group's rate; a factor of exactly 1 is not applied. old: the weights before where the masters do not hold them
  // (KeepOld::read), else null.
  void step(const Tensors& gradients, double learning_rate_factor, const Tensors* old);

 private:
  Tensors masters_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;  // none without parameters
  OutOfPlaceSgd* sgd_ = nullptr;                        // the same one, where it is this
  std::vector<double> learning_rates_;                  // by group
  std::vector<std::size_t> order_;                      // parameters as the groups have them
};

// Does the learning rate follow the number of replicas (SEMANTICS: SGD yes, Adam-like no, unless told)?
bool scales_by_replicas(const OptimizerSpec& spec);

}  // namespace pipedream::detail

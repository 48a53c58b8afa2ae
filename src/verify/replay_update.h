// The arithmetic of one update in the oracle: the sum of an update's gradients, and the optimizer's step.
#pragma once

#include <torch/optim/optimizer.h>
#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "pipedream/layer_graph.h"
#include "pipedream/optimizer.h"

namespace pipedream::detail {

// What one microbatch adds to an update of a stage.
struct Contribution {
  int replica = 0;
  double weight = 1;  // n_k
  Tensors gradients;  // undefined: no path from the loss to the parameter
};

// The mean over an update's contributions, given in ascending k, with n* the nominal weight of a microbatch: per
// replica acc += (n_k / n*) * g, product and sum each rounded; then the sum over the replicas in ascending order; then
// one division by (sum of n_k) / n*. A factor or divisor of exactly 1 is not applied. reversed: both sums run
// backwards.
Tensors mean_gradient(std::vector<Contribution> contributions, double nominal_weight, bool reversed);

// Steps a stage's master weights. Plain torch::optim; the settings of a parameter are those of the first group whose
// pattern fits its name.
class MasterWeights {
 public:
  MasterWeights(const OptimizerSpec& spec, const std::vector<std::string>& names, const Tensors& initial);
  void step(const Tensors& gradients, double rate_factor);
  const Tensors& weights() const { return weights_; }

 private:
  Tensors weights_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;  // null without parameters
  std::vector<double> rates_;                           // by parameter
};

}  // namespace pipedream::detail

// torch::optim's SGD, whose step can also leave the old weights as they are and write the new ones elsewhere: a weight
// version that must be kept then costs no copy (which would take more time than the step itself).
#pragma once

#include <torch/optim/sgd.h>

#include <vector>

#include "pipedream/layer_graph.h"

namespace pipedream::detail {

class OutOfPlaceSgd : public torch::optim::SGD {
 public:
  using SGD::SGD;

  // As step(), bit for bit, but with the weights read from `old` (by parameter, in the order of the groups) and written
  // to the parameters, whose values do not count. A parameter without gradient becomes its old value.
  void step_from(const Tensors& old);

 private:
  // The direction of the step: the gradient with weight decay and momentum.
  torch::Tensor direction(const torch::optim::SGDOptions& options, const torch::Tensor& parameter,
                          const torch::Tensor& old);
};

}  // namespace pipedream::detail

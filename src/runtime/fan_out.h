// An autograd identity with several outputs, whose gradients are summed in the order of the outputs.
//
// It gives every use of a tensor an edge of its own, so that the order of summation is the graph's, wherever the uses
// run; and it stands between a received leaf and its first layer, so that an in-place layer may write the leaf.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

namespace pipedream::detail {

class FanOut : public torch::autograd::Function<FanOut> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext*, const torch::Tensor& x,
                                                std::int64_t outputs) {
    torch::autograd::variable_list aliases;
    for (std::int64_t i = 0; i < outputs; ++i) aliases.push_back(x.detach());
    return aliases;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 const torch::autograd::variable_list& gradients) {
    torch::Tensor sum;
    for (const auto& gradient : gradients) {
      if (gradient.defined()) sum = sum.defined() ? sum + gradient : gradient;
    }
    return {sum, torch::Tensor()};
  }
};

}  // namespace pipedream::detail

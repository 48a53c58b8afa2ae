#include "runtime/out_of_place_sgd.h"

#include <ATen/ops/add.h>

namespace pipedream::detail {

torch::Tensor OutOfPlaceSgd::direction(const torch::optim::SGDOptions& options, const torch::Tensor& parameter,
                                       const torch::Tensor& old) {
  torch::Tensor gradient = parameter.grad();
  if (options.weight_decay() != 0) gradient = gradient.add(old, options.weight_decay());
  if (options.momentum() == 0) return gradient;
  auto& state = state_[parameter.unsafeGetTensorImpl()];
  const bool first = !state;
  if (first) state = std::make_unique<torch::optim::SGDParamState>();
  torch::Tensor& buffer = static_cast<torch::optim::SGDParamState&>(*state).momentum_buffer();
  if (first) {
    buffer = gradient.clone();
  } else {
    buffer.mul_(options.momentum()).add_(gradient, 1 - options.dampening());
  }
  return options.nesterov() ? gradient.add(buffer, options.momentum()) : buffer;
}

void OutOfPlaceSgd::step_from(const Tensors& old) {
  const torch::NoGradGuard no_gradient;
  auto next = old.begin();
  for (auto& group : param_groups_) {
    const auto& options = static_cast<const torch::optim::SGDOptions&>(group.options());
    for (torch::Tensor& parameter : group.params()) {
      const torch::Tensor& from = *next++;
      if (parameter.grad().defined()) {
        at::add_out(parameter, from, direction(options, parameter, from), -options.lr());
      } else {
        parameter.copy_(from);
      }
    }
  }
}

}  // namespace pipedream::detail

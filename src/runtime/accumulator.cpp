#include "runtime/accumulator.h"

#include <fmt/format.h>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

// Whether no other tensor shows its memory: autograd may give one gradient to several parameters. A view keeps the
// tensor that it was made from.
bool is_only_owner(const torch::Tensor& tensor) {
  if (!tensor.is_view()) return tensor.use_count() == 1 && tensor.storage().use_count() == 1;
  return tensor.use_count() == 1 && tensor.storage().use_count() == 2 && tensor._base().use_count() == 1;
}

// Multiplied before it is added: a fused multiply-add would round differently in different memory layouts. In its own
// memory where that can be.
torch::Tensor scaled(torch::Tensor gradient, double factor) {
  if (factor == 1) return gradient;
  const bool is_possible = is_only_owner(gradient) && gradient.is_non_overlapping_and_dense();
  return is_possible ? gradient.mul_(factor) : gradient.mul(factor);
}

}  // namespace

GradientAccumulator::GradientAccumulator(Tensors parameters, std::unique_ptr<ReduceGroup> group)
    : parameters_(std::move(parameters)), group_(std::move(group)) {
  if (!group_) return;
  for (const auto& parameter : parameters_) {
    if (parameter.scalar_type() != parameters_.front().scalar_type()) {
      throw ConfigError(fmt::format("a replicated stage has parameters of one type; this one has {} and {}",
                                    c10::toString(parameters_.front().scalar_type()),
                                    c10::toString(parameter.scalar_type())));
    }
  }
}

void GradientAccumulator::open_flat() {
  if (open_.flat) return;
  if (unused_.empty()) {
    open_.flat = std::make_unique<FlatTensors>(parameters_);
  } else {
    open_.flat = std::move(unused_.back());
    unused_.pop_back();
  }
}

void GradientAccumulator::add(Tensors gradients, double weight, bool only) {
  const torch::NoGradGuard no_gradient;
  const double factor = weight / nominal_weight_;
  const bool first = open_.gradients.empty();
  open_.weight += weight;
  if (first && !group_) {
    for (auto& gradient : gradients) {
      if (!gradient.defined()) continue;
      // A gradient that others are added to must be nobody else's.
      gradient = factor == 1 && !only ? gradient.clone() : scaled(std::move(gradient), factor);
    }
    open_.gradients = std::move(gradients);
    return;
  }
  if (first) {
    open_flat();
    open_.gradients = open_.flat->views();
  }
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    torch::Tensor& sum = open_.gradients[i];
    if (!gradients[i].defined()) {
      if (first) sum.zero_();
    } else if (first) {
      sum.copy_(scaled(std::move(gradients[i]), factor));
    } else if (!sum.defined()) {
      sum = scaled(std::move(gradients[i]), factor).clone();
    } else {
      sum.add_(scaled(std::move(gradients[i]), factor));
    }
  }
}

void GradientAccumulator::reduce_post(std::vector<bool> present) {
  open_flat();
  open_.gradients = open_.flat->views();
  torch::Tensor buffer = open_.flat->bytes();
  if (!parameters_.empty()) buffer = buffer.view(parameters_.front().scalar_type());
  group_->post(std::move(buffer), open_.weight, std::move(present));
  pending_.push_back(std::move(open_));
  open_ = {};
}

void GradientAccumulator::reduce_wait() {
  Sum sum = std::move(pending_.front());
  pending_.pop_front();
  sum.weight = group_->wait();
  complete_.push_back(std::move(sum));
}

GradientAccumulator::Sum GradientAccumulator::close() {
  if (!group_) return std::exchange(open_, {});
  Sum sum = std::move(complete_.front());
  complete_.pop_front();
  return sum;
}

Tensors GradientAccumulator::take() {
  const torch::NoGradGuard no_gradient;
  Sum sum = close();
  taken_flat_ = std::move(sum.flat);
  sum.gradients.resize(parameters_.size());
  const double total = sum.weight / nominal_weight_;
  if (total != 1) {
    for (auto& gradient : sum.gradients) {
      if (gradient.defined()) gradient.div_(total);
    }
  }
  return std::move(sum.gradients);
}

void GradientAccumulator::release() {
  if (taken_flat_) unused_.push_back(std::move(taken_flat_));
}

}  // namespace pipedream::detail

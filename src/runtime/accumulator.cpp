#include "runtime/accumulator.h"

#include <fmt/format.h>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

// Multiplied before it is added: a fused multiply-add would round differently in different memory layouts.
torch::Tensor scaled(const torch::Tensor& gradient, double factor) {
  return factor == 1 ? gradient : gradient.mul(factor);
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
      gradient = factor != 1 ? gradient.mul(factor) : only ? gradient : gradient.clone();
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
      sum.copy_(scaled(gradients[i], factor));
    } else if (!sum.defined()) {
      sum = scaled(gradients[i], factor).clone();
    } else {
      sum.add_(scaled(gradients[i], factor));
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

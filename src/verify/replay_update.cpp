#include "verify/replay_update.h"

#include <fnmatch.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <tuple>

namespace pipedream::detail {
namespace {

using TorchOptions = std::unique_ptr<torch::optim::OptimizerOptions>;

TorchOptions settings_of(const OptimizerSpec& spec, const ParameterGroup& group) {
  const OptimizerSettings& s = spec.settings;
  const double rate = group.learning_rate.value_or(s.learning_rate);
  const double decay = group.weight_decay.value_or(s.weight_decay);
  const double momentum = group.momentum.value_or(s.momentum);
  const std::tuple<double, double> betas{s.beta1, s.beta2};
  switch (spec.kind) {
    case OptimizerKind::sgd:
      return std::make_unique<torch::optim::SGDOptions>(
          torch::optim::SGDOptions(rate).momentum(momentum).nesterov(s.nesterov && momentum > 0).weight_decay(decay));
    case OptimizerKind::adam:
      return std::make_unique<torch::optim::AdamOptions>(
          torch::optim::AdamOptions(rate).betas(betas).eps(s.epsilon).weight_decay(decay));
    case OptimizerKind::adamw:
      return std::make_unique<torch::optim::AdamWOptions>(
          torch::optim::AdamWOptions(rate).betas(betas).eps(s.epsilon).weight_decay(decay));
  }
  throw std::logic_error("unknown optimizer");
}

ParameterGroup group_settings(const OptimizerSpec& spec, const std::string& parameter) {
  for (const ParameterGroup& group : spec.groups) {
    if (fnmatch(group.pattern.c_str(), parameter.c_str(), 0) == 0) return group;
  }
  return {};
}

std::unique_ptr<torch::optim::Optimizer> make(OptimizerKind kind,
                                              const std::vector<torch::optim::OptimizerParamGroup>& groups) {
  switch (kind) {
    case OptimizerKind::sgd:
      return std::make_unique<torch::optim::SGD>(groups, torch::optim::SGDOptions(1));
    case OptimizerKind::adam:
      return std::make_unique<torch::optim::Adam>(groups, torch::optim::AdamOptions(1));
    case OptimizerKind::adamw:
      return std::make_unique<torch::optim::AdamW>(groups, torch::optim::AdamWOptions(1));
  }
  throw std::logic_error("unknown optimizer");
}

void add_scaled(Tensors& sum, const Tensors& gradients, double factor) {
  sum.resize(gradients.size());
  for (std::size_t p = 0; p < gradients.size(); ++p) {
    if (!gradients[p].defined()) continue;
    const torch::Tensor addend = factor == 1 ? gradients[p] : gradients[p].mul(factor);
    sum[p] = sum[p].defined() ? sum[p] + addend : addend.clone();
  }
}

}  // namespace

Tensors mean_gradient(std::vector<Contribution> contributions, double nominal_weight, bool reversed) {
  if (reversed) std::reverse(contributions.begin(), contributions.end());
  std::map<int, Tensors> of_replicas;
  double weight = 0;
  for (const Contribution& contribution : contributions) {
    Tensors& sum = of_replicas[reversed ? -contribution.replica : contribution.replica];
    add_scaled(sum, contribution.gradients, contribution.weight / nominal_weight);
    weight += contribution.weight;
  }
  Tensors total;
  for (const auto& [replica, sum] : of_replicas) add_scaled(total, sum, 1);
  const double divisor = weight / nominal_weight;
  for (torch::Tensor& gradient : total) {
    if (gradient.defined() && divisor != 1) gradient.div_(divisor);
  }
  return total;
}

MasterWeights::MasterWeights(const OptimizerSpec& spec, const std::vector<std::string>& names, const Tensors& initial) {
  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (std::size_t p = 0; p < initial.size(); ++p) {
    weights_.push_back(initial[p].detach().clone());
    groups.emplace_back(Tensors{weights_[p]}, settings_of(spec, group_settings(spec, names[p])));
    rates_.push_back(groups.back().options().get_lr());
  }
  if (!groups.empty()) optimizer_ = make(spec.kind, groups);
}

void MasterWeights::step(const Tensors& gradients, double rate_factor) {
  if (!optimizer_) return;
  for (std::size_t p = 0; p < weights_.size(); ++p) {
    weights_[p].mutable_grad() = gradients[p];
    optimizer_->param_groups()[p].options().set_lr(rate_factor == 1 ? rates_[p] : rates_[p] * rate_factor);
  }
  optimizer_->step();
}

}  // namespace pipedream::detail

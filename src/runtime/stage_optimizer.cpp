#include "runtime/stage_optimizer.h"

#include <fnmatch.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <map>

namespace pipedream::detail {
namespace {

constexpr int kNoGroup = -1;

int group_of(const OptimizerSpec& spec, const std::string& name) {
  for (std::size_t g = 0; g < spec.groups.size(); ++g) {
    if (fnmatch(spec.groups[g].pattern.c_str(), name.c_str(), 0) == 0) return static_cast<int>(g);
  }
  return kNoGroup;
}

OptimizerSettings settings_of(const OptimizerSpec& spec, int group) {
  OptimizerSettings settings = spec.settings;
  if (group == kNoGroup) return settings;
  const ParameterGroup& overrides = spec.groups[static_cast<std::size_t>(group)];
  settings.learning_rate = overrides.learning_rate.value_or(settings.learning_rate);
  settings.weight_decay = overrides.weight_decay.value_or(settings.weight_decay);
  settings.momentum = overrides.momentum.value_or(settings.momentum);
  return settings;
}

template <class Options>
std::unique_ptr<torch::optim::OptimizerOptions> adam_options(const OptimizerSettings& s) {
  auto options = std::make_unique<Options>(s.learning_rate);
  options->betas({s.beta1, s.beta2}).eps(s.epsilon).weight_decay(s.weight_decay);
  return options;
}

std::unique_ptr<torch::optim::OptimizerOptions> options_of(OptimizerKind kind, const OptimizerSettings& s) {
  switch (kind) {
    case OptimizerKind::adam:
      return adam_options<torch::optim::AdamOptions>(s);
    case OptimizerKind::adamw:
      return adam_options<torch::optim::AdamWOptions>(s);
    case OptimizerKind::sgd:
      break;
  }
  auto options = std::make_unique<torch::optim::SGDOptions>(s.learning_rate);
  options->momentum(s.momentum).nesterov(s.nesterov).weight_decay(s.weight_decay);
  return options;
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(OptimizerKind kind,
                                                        std::vector<torch::optim::OptimizerParamGroup> groups) {
  switch (kind) {
    case OptimizerKind::adam:
      return std::make_unique<torch::optim::Adam>(std::move(groups));
    case OptimizerKind::adamw:
      return std::make_unique<torch::optim::AdamW>(std::move(groups));
    case OptimizerKind::sgd:
      break;
  }
  return std::make_unique<OutOfPlaceSgd>(std::move(groups), torch::optim::SGDOptions(0));
}

}  // namespace

StageOptimizer::StageOptimizer(const OptimizerSpec& spec, const Tensors& masters, const std::vector<std::string>& names)
    : masters_(masters) {
  std::map<int, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < masters.size(); ++i) members[group_of(spec, names[i])].push_back(i);
  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (const auto& [group, parameters] : members) {
    const OptimizerSettings settings = settings_of(spec, group);
    Tensors tensors;
    for (const std::size_t i : parameters) tensors.push_back(masters_[i]);
    order_.insert(order_.end(), parameters.begin(), parameters.end());
    groups.emplace_back(tensors, options_of(spec.kind, settings));
    learning_rates_.push_back(settings.learning_rate);
  }
  if (groups.empty()) return;
  optimizer_ = make_optimizer(spec.kind, std::move(groups));
  sgd_ = dynamic_cast<OutOfPlaceSgd*>(optimizer_.get());
}

void StageOptimizer::step(const Tensors& gradients, double learning_rate_factor, const Tensors* old) {
  if (!optimizer_) return;
  for (std::size_t i = 0; i < masters_.size(); ++i) masters_[i].mutable_grad() = gradients[i];
  auto& groups = optimizer_->param_groups();
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double rate = learning_rates_[g];
    groups[g].options().set_lr(learning_rate_factor == 1 ? rate : rate * learning_rate_factor);
  }
  if (old == nullptr) {
    optimizer_->step();
  } else {
    Tensors ordered;
    for (const std::size_t i : order_) ordered.push_back((*old)[i]);
    sgd_->step_from(ordered);
  }
  for (auto& master : masters_) master.mutable_grad().reset();
}

bool scales_by_replicas(const OptimizerSpec& spec) {
  return spec.scale_by_replicas.value_or(spec.kind == OptimizerKind::sgd);
}

}  // namespace pipedream::detail

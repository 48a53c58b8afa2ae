// The updates: mean gradient, clipping, learning rate, and what corrections learn from a step.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "verify/replay_stage.h"

namespace pipedream::detail {
namespace {

bool flushes(Algorithm algorithm) {
  return algorithm == Algorithm::model_parallel || algorithm == Algorithm::data_parallel ||
         algorithm == Algorithm::gpipe || algorithm == Algorithm::flush_1f1b ||
         algorithm == Algorithm::interleaved_1f1b;
}

// The factor of the learning rate at a microbatch of the run.
double scheduled(const LearningRateSchedule& s, std::int64_t k) {
  if (k < s.warmup_microbatches) return static_cast<double>(k + 1) / static_cast<double>(s.warmup_microbatches);
  const auto passed = static_cast<double>(k - s.warmup_microbatches);
  const double part = std::min(1.0, passed / static_cast<double>(s.total_microbatches - s.warmup_microbatches));
  switch (s.shape) {
    case RateShape::constant:
      return 1;
    case RateShape::linear:
      return 1 - (1 - s.end_factor) * part;
    case RateShape::cosine:
      return s.end_factor + (1 - s.end_factor) * 0.5 * (1 + std::cos(std::acos(-1.0) * part));
    case RateShape::step:
      return std::pow(s.step_factor, std::floor(passed / static_cast<double>(s.step_microbatches)));
  }
  throw std::logic_error("unknown schedule");
}

}  // namespace

Replay::Due Replay::take_update(Stage& stage) const {
  const auto present = static_cast<double>(stage.contributions.size());
  Tensors gradient = mean_gradient(std::move(stage.contributions), static_cast<double>(options_.microbatch_size),
                                   options_.mutation == Mutation::reversed_sums);
  stage.contributions.clear();
  return {&stage, std::move(gradient), present};
}

// One norm a stage, or one of all stages, which then step at the same time.
void Replay::clip(const std::vector<Due>& updates) const {
  const Clipping& clipping = options_.optimizer.clipping;
  if (clipping.max_norm == 0 || options_.mutation == Mutation::no_clipping) return;
  std::map<std::string, torch::Tensor> by_name;
  for (const Due& due : updates) {
    for (std::size_t p = 0; p < due.gradient.size(); ++p) by_name[due.stage->parameter_names[p]] = due.gradient[p];
  }
  const auto clip_together = [&](const std::vector<std::string>& names) {
    if (names.empty()) return;
    Tensors squares;
    for (const std::string& name : names) {
      const torch::Tensor& gradient = by_name[name];
      squares.push_back(gradient.defined() ? gradient.contiguous().norm().to(torch::kDouble).square()
                                           : torch::zeros({}, torch::kDouble));
    }
    const double norm = torch::stack(squares).sum().sqrt().item<double>();
    const double factor = std::min(1.0, clipping.max_norm / (norm + 1e-6));
    for (const std::string& name : names) {
      if (by_name[name].defined()) by_name[name].mul_(factor);
    }
  };
  if (clipping.scope == ClipScope::stage) {
    for (const Due& due : updates) clip_together(due.stage->parameter_names);
    return;
  }
  std::vector<std::string> names;
  for (const ReplayLayer& layer : model_.layers()) {
    for (const auto& [name, parameter] : layer.parameters) names.push_back(name);
  }
  clip_together(names);
}

void Replay::update(const Due& due) {
  Stage& stage = *due.stage;
  stage.masters->step(due.gradient, rate_factor(stage, due.present));
  stage.versions.push_back(clones(stage.masters->weights()));
  ++stage.updates_observed;
  if (!options_.corrections.t2 || !corrects(stage)) return;
  const Tensors& before = stage.versions[stage.versions.size() - 2];
  const double gamma = std::pow(options_.corrections.decay, 1 / delay(stage));
  for (std::size_t p = 0; p < before.size(); ++p) {
    const torch::Tensor difference = stage.versions.back()[p] - before[p];
    if (stage.delta.size() < before.size()) stage.delta.push_back(torch::zeros_like(difference));
    stage.delta[p] = stage.delta[p] * gamma + difference * (1 - gamma);
  }
}

double Replay::rate_factor(const Stage& stage, double present) const {
  const bool scale = options_.optimizer.scale_by_replicas.value_or(options_.optimizer.kind == OptimizerKind::sgd);
  const auto covered = static_cast<double>(stage.update_size);
  double factor = 1;
  if (!flushes(plan_.algorithm) && options_.mutation != Mutation::no_rate_scale) {
    factor = present / covered;
    if (scale) factor *= covered / static_cast<double>(stages_.front()->update_size);
  }
  factor *= scheduled(options_.optimizer.schedule, stage.first_of_update);
  const CorrectionChoice& corrections = options_.corrections;
  const std::int64_t passed = stage.first_of_update - first_corrected_;
  if (corrections.t1 && corrects(stage) && passed < corrections.annealing_microbatches) {
    const double p = 1 - static_cast<double>(passed) / static_cast<double>(corrections.annealing_microbatches);
    factor *= std::pow(std::max(delay(stage), 1.0), -p);
  }
  return factor;
}

}  // namespace pipedream::detail

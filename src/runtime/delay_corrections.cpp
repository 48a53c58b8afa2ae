// The published delay corrections. Products are rounded before they are added: a fused multiply-add would round
// differently in different memory layouts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pipedream/delay_correction.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

class RateByDelay : public DelayCorrection {
 public:
  RateByDelay(const StageDelay& delay, std::int64_t annealing)
      : tau_(std::max(delay.updates, 1.0)), annealing_(annealing > 0 ? annealing : delay.microbatches / 4) {}

  double before_update(const Tensors&, std::int64_t microbatch) override {
    if (microbatch >= annealing_) return 1;
    const double p = 1 - static_cast<double>(microbatch) / static_cast<double>(annealing_);
    return std::pow(tau_, -p);
  }

 private:
  double tau_;
  std::int64_t annealing_;  // microbatches
};

// Smooths what the updates do, and goes back by as many of them as the backward is late.
class BackwardAtOldWeights : public DelayCorrection {
 public:
  BackwardAtOldWeights(const StageDelay& delay, double decay)
      : tau_(delay.updates), gamma_(tau_ > 0 ? std::pow(decay, 1 / tau_) : 0) {}

  bool corrects_backward() const override { return tau_ > 0; }
  bool observes_updates() const override { return tau_ > 0; }

  void backward_weights(const Tensors& weights) override {
    for (std::size_t i = 0; i < delta_.size(); ++i) weights[i].sub_(delta_[i].mul(tau_));
  }

  void after_update(const Tensors& before, const Tensors& after) override {
    if (delta_.empty()) {
      for (const auto& tensor : after) delta_.push_back(torch::zeros_like(tensor));
    }
    for (std::size_t i = 0; i < delta_.size(); ++i) {
      delta_[i].mul_(gamma_).add_(after[i].sub(before[i]).mul_(1 - gamma_));
    }
  }

 private:
  double tau_;
  double gamma_;
  Tensors delta_;
};

class ForwardAtExpectedWeights : public DelayCorrection {
 public:
  explicit ForwardAtExpectedWeights(const StageDelay& delay) : tau_(delay.updates) {}

  bool corrects_forward() const override { return tau_ > 0; }
  bool observes_updates() const override { return tau_ > 0; }

  void forward_weights(const Tensors& weights) override {
    for (std::size_t i = 0; i < last_.size(); ++i) weights[i].add_(last_[i].mul(tau_));
  }

  void after_update(const Tensors& before, const Tensors& after) override {
    if (last_.empty()) {
      for (const auto& tensor : after) last_.push_back(torch::empty_like(tensor));
    }
    for (std::size_t i = 0; i < last_.size(); ++i) last_[i].copy_(after[i]).sub_(before[i]);
  }

 private:
  double tau_;
  Tensors last_;
};

}  // namespace

DelayCorrectionSpec pipemare_t1(std::int64_t annealing_microbatches) {
  if (annealing_microbatches < 0) {
    throw ConfigError(fmt::format("T1 anneals over {} microbatches; it must be 0 (a quarter of the run) or more",
                                  annealing_microbatches));
  }
  return {.name = fmt::format("t1 over {} microbatches", annealing_microbatches), .make = [=](const StageDelay& delay) {
            return std::make_unique<RateByDelay>(delay, annealing_microbatches);
          }};
}

DelayCorrectionSpec pipemare_t2(double decay) {
  if (!(decay > 0 && decay < 1)) throw ConfigError(fmt::format("T2's decay is {}; it must be in (0, 1)", decay));
  return {.name = fmt::format("t2 with decay {}", decay),
          .make = [=](const StageDelay& delay) { return std::make_unique<BackwardAtOldWeights>(delay, decay); },
          .state_factor = 2};
}

DelayCorrectionSpec spectrain() {
  return {.name = "spectrain",
          .make = [](const StageDelay& delay) { return std::make_unique<ForwardAtExpectedWeights>(delay); },
          .state_factor = 2};
}

std::vector<DelayCorrectionSpec> corrections_of(const std::optional<std::vector<DelayCorrectionSpec>>& given,
                                                Algorithm algorithm) {
  if (traits_of(algorithm).flushes) return {};
  return given ? *given : corrections(default_corrections(algorithm));
}

std::vector<DelayCorrectionSpec> corrections(const CorrectionChoice& choice) {
  std::vector<DelayCorrectionSpec> specs;
  if (choice.t1) specs.push_back(pipemare_t1(choice.annealing_microbatches));
  if (choice.t2) specs.push_back(pipemare_t2(choice.decay));
  if (choice.spectrain) specs.push_back(spectrain());
  return specs;
}

CorrectionChoice default_corrections(Algorithm algorithm) {
  const bool on = algorithm == Algorithm::pipemare;
  return {.t1 = on, .t2 = on};
}

}  // namespace pipedream

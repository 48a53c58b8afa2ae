// Corrections of asynchronous training: what makes up for gradients that come from weights older than those they are
// applied to. One seam for all of them: a correction belongs to a stage, knows its delay, and may change the weights
// that a forward sees, the weights that a backward sees, and the gradient and the learning rate of an update.
//
//   TrainerOptions options{.corrections = {{pipemare_t1(), pipemare_t2()}}};
//
// Corrections apply in the order given, under algorithms that do not flush. One that changes weights needs an algorithm
// with one copy of them (AlgorithmTraits::overwrites); the trainer refuses it elsewhere. Their state lasts as long as
// the segments of a run keep to one algorithm; another algorithm in between starts them anew.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipedream/algorithm.h"
#include "pipedream/layer_graph.h"

namespace pipedream {

// What a stage's updates come too late by.
struct StageDelay {
  int stage = 0;
  // tau: updates of the stage between the weights of a microbatch's forward and the update that its gradient is part
  // of, in the steady state. 0: none.
  double updates = 0;
  std::int64_t microbatches = 0;  // of the train call in which the correction comes into use
};

// Of one stage on one worker; replicas each have their own and must compute the same. One thread. Tensors come one a
// parameter, in the stage's order; no reference to them may be kept.
class DelayCorrection {
 public:
  virtual ~DelayCorrection() = default;

  // Whether forwards, or backwards, see other weights than the newest; constant.
  virtual bool corrects_forward() const { return false; }
  virtual bool corrects_backward() const { return false; }
  // Changes a copy of the newest weights in place.
  virtual void forward_weights(const Tensors& /*weights*/) {}
  virtual void backward_weights(const Tensors& /*weights*/) {}

  // Before an update whose first microbatch is the `microbatch`-th since the correction came into use: may change the
  // gradients in place (undefined: the parameter has none) and returns a factor for the learning rate.
  virtual double before_update(const Tensors& /*gradients*/, std::int64_t /*microbatch*/) { return 1; }

  // Whether after_update is to be called; constant.
  virtual bool observes_updates() const { return false; }
  // The weights before and after an update, to be read.
  virtual void after_update(const Tensors& /*before*/, const Tensors& /*after*/) {}
};

struct DelayCorrectionSpec {
  std::string name;  // with its settings; all workers must have the same
  std::function<std::unique_ptr<DelayCorrection>(const StageDelay& delay)> make;
  // Bytes of state per byte of parameters, for the prediction of memory: what it keeps, and the copy that other weights
  // than the newest are made in.
  double state_factor = 0;
};

// T1 of PipeMare (Yang et al., MLSys'21, arXiv 1910.05124, section 3.1): the learning rate of a stage is divided by
// max(tau, 1)^p, p falling from 1 to 0 over the first `annealing_microbatches`; 0: a quarter of the train call's.
// Throws ConfigError for a negative count.
DelayCorrectionSpec pipemare_t1(std::int64_t annealing_microbatches = 0);

inline constexpr double kDefaultT2Decay = 0.1353352832366127;  // e^-2

// T2 (section 3.2): backwards see w - tau delta, where delta <- gamma delta + (1 - gamma)(w^{u+1} - w^u) smooths the
// updates with gamma = decay^(1/tau). Throws ConfigError unless 0 < decay < 1.
DelayCorrectionSpec pipemare_t2(double decay = kDefaultT2Decay);

// Weight prediction (SpecTrain, Chen et al., arXiv 1809.02839, section 4): forwards see the weights that are expected
// when their gradient is applied, w + tau (w^u - w^{u-1}). Of SGD with momentum the last difference is -lr v, v the
// smoothed gradient, as published; it serves other optimizers as well.
DelayCorrectionSpec spectrain();

// Which of the published corrections, with their settings.
struct CorrectionChoice {
  bool t1 = false;
  std::int64_t annealing_microbatches = 0;  // of T1; 0: a quarter of the train call
  bool t2 = false;
  double decay = kDefaultT2Decay;
  bool spectrain = false;
};
std::vector<DelayCorrectionSpec> corrections(const CorrectionChoice& choice);
// T1 and T2 under pipemare, else none.
CorrectionChoice default_corrections(Algorithm algorithm);

// Those of a segment: the ones given, else the default; none under what flushes.
std::vector<DelayCorrectionSpec> corrections_of(const std::optional<std::vector<DelayCorrectionSpec>>& given,
                                                Algorithm algorithm);

}  // namespace pipedream

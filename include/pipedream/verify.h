// Is it my model or the pipeline? Trains a few microbatches under a plan and, side by side, in one process, and
// compares every loss, the gradient of every parameter from every microbatch, and the final weights.
//
// The one process is a replay of the algorithm's definition (docs/algorithms.md, which weights and which gradient,
// when), independent of schedules, messages and version stores: the oracle that the library's own tests use. Every
// worker replays the whole model, and all gradients of all microbatches are kept: this is for few microbatches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/data.h"
#include "pipedream/delay_correction.h"
#include "pipedream/layer_graph.h"
#include "pipedream/plan.h"
#include "pipedream/trainer.h"

namespace pipedream {

struct VerifyOptions {
  TrainerOptions trainer = {};                                 // its corrections are set from the choice
  std::optional<CorrectionChoice> corrections = std::nullopt;  // not given: the algorithm's default
  std::int64_t microbatches = 16;
  std::int64_t microbatch_size = 32;
  bool shuffle = true;
  // Greatest difference that passes, as norm of the difference / norm of the expected; 0: every bit.
  double tolerance = 0;
};

// How far one value is from what it should be.
struct Deviation {
  enum class Kind { loss, gradient, weights };
  Kind kind = Kind::loss;
  std::int64_t microbatch = 0;  // for weights: the number of microbatches trained
  std::string layer;            // for a loss: the loss layer
  std::string tensor;           // "layer.parameter"; empty for a loss
  double relative = 0;          // norm of the difference / norm of the expected; infinity where one is missing
};

struct LayerVerdict {
  std::string layer;
  int stage = 0;
  double gradient = 0;  // greatest relative difference of a gradient of its parameters; 0: every bit agrees
  double weights = 0;
};

struct VerifyReport {
  std::int64_t microbatches = 0;
  double loss = 0;                      // greatest relative difference
  std::vector<LayerVerdict> layers;     // with parameters or buffers, in graph order
  std::optional<Deviation> first = {};  // beyond the tolerance, in the order in which values are computed
  // Where something deviates: whether a second replay gives the same bits as the first. If not, a layer of the model
  // does not compute the same twice, and no pipeline could agree with it.
  bool model_repeats = true;

  bool passed() const { return !first; }
};

// Collective; the same report on every worker. Throws as Trainer does, and ConfigError for fewer than one microbatch or
// a negative tolerance.
VerifyReport verify(const LayerGraph& graph, const Plan& plan, const Dataset& data, Communicator& comm,
                    const VerifyOptions& options = {});

}  // namespace pipedream

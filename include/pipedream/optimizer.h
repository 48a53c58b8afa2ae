// Which optimizer steps the weights, with which settings for which parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pipedream {

enum class OptimizerKind { sgd, adam, adamw };

struct OptimizerSettings {
  double learning_rate = 0.01;
  double momentum = 0;    // sgd
  bool nesterov = false;  // sgd
  double weight_decay = 0;
  double beta1 = 0.9;  // adam, adamw
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

// Overrides for the parameters whose name ("layer.parameter") fits a shell pattern; the first group that fits wins.
struct ParameterGroup {
  std::string pattern = {};
  std::optional<double> learning_rate = std::nullopt;
  std::optional<double> weight_decay = std::nullopt;
  std::optional<double> momentum = std::nullopt;
};

enum class RateShape { constant, linear, cosine, step };

// The learning rate over a run, as a factor for each microbatch: stages update at different rates, so updates would be
// the wrong clock. An update takes that of the first microbatch it covers.
struct LearningRateSchedule {
  RateShape shape = RateShape::constant;
  std::int64_t warmup_microbatches = 0;  // over which the factor rises in equal steps to 1
  std::int64_t total_microbatches = 0;   // linear, cosine: from the warm-up's end the factor falls to end_factor there
  double end_factor = 0;
  std::int64_t step_microbatches = 0;  // step: the factor is multiplied by step_factor after every so many
  double step_factor = 0.1;

  // Of a microbatch of the run.
  double factor(std::int64_t microbatch) const;
};

// Throws ConfigError naming the field that is out of range.
void validate(const LearningRateSchedule& schedule);

enum class ClipScope {
  global,  // the norm of all gradients of the model; for algorithms that flush
  stage,   // that of each stage's own
};

// Gradients of an update are multiplied by max_norm / (their norm + 1e-6) where that is below 1: the rule of
// torch::nn::utils::clip_grad_norm_. A parameter of several replicas counts once.
struct Clipping {
  double max_norm = 0;  // 0: none
  ClipScope scope = ClipScope::global;
};

struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::sgd;
  OptimizerSettings settings = {};
  std::vector<ParameterGroup> groups = {};
  // Asynchronous replicated stages multiply the learning rate by r_s / r_0; default: SGD yes, Adam no.
  std::optional<bool> scale_by_replicas = std::nullopt;
  LearningRateSchedule schedule = {};
  Clipping clipping = {};
};

struct SgdOptions {
  double learning_rate = 0.01;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
};
struct AdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

// Each throws ConfigError that names a setting out of range.
OptimizerSpec sgd(const SgdOptions& options = {});
OptimizerSpec adam(const AdamOptions& options = {});
OptimizerSpec adamw(const AdamOptions& options = {});

// "sgd", "adam", "adamw". Throws ConfigError that lists them.
OptimizerKind parse_optimizer(const std::string& name);
std::string to_string(OptimizerKind kind);

// Bytes of optimizer state per byte of parameters: 0, 1 with momentum, 2 for Adam.
double state_factor(const OptimizerSpec& spec);

}  // namespace pipedream

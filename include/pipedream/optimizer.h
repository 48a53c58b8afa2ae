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

struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::sgd;
  OptimizerSettings settings = {};
  std::vector<ParameterGroup> groups = {};
  // Asynchronous replicated stages multiply the learning rate by r_s / r_0; default: SGD yes, Adam no.
  std::optional<bool> scale_by_replicas = std::nullopt;
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

#include <fmt/format.h>

#include <cmath>

#include "pipedream/error.h"
#include "pipedream/optimizer.h"

namespace pipedream {
namespace {

void demand(bool holds, const char* optimizer, const char* field, double value, const char* range) {
  if (!holds) throw ConfigError(fmt::format("{}: {} is {}; it must be {}", optimizer, field, value, range));
}

void check_common(const char* optimizer, double learning_rate, double weight_decay) {
  demand(std::isfinite(learning_rate) && learning_rate >= 0, optimizer, "learning_rate", learning_rate, "0 or more");
  demand(std::isfinite(weight_decay) && weight_decay >= 0, optimizer, "weight_decay", weight_decay, "0 or more");
}

OptimizerSpec adam_like(OptimizerKind kind, const char* name, const AdamOptions& options) {
  check_common(name, options.learning_rate, options.weight_decay);
  demand(options.beta1 >= 0 && options.beta1 < 1, name, "beta1", options.beta1, "in [0, 1)");
  demand(options.beta2 >= 0 && options.beta2 < 1, name, "beta2", options.beta2, "in [0, 1)");
  demand(std::isfinite(options.epsilon) && options.epsilon >= 0, name, "epsilon", options.epsilon, "0 or more");
  OptimizerSpec spec;
  spec.kind = kind;
  spec.settings.learning_rate = options.learning_rate;
  spec.settings.weight_decay = options.weight_decay;
  spec.settings.beta1 = options.beta1;
  spec.settings.beta2 = options.beta2;
  spec.settings.epsilon = options.epsilon;
  return spec;
}

}  // namespace

OptimizerSpec sgd(const SgdOptions& options) {
  check_common("sgd", options.learning_rate, options.weight_decay);
  demand(std::isfinite(options.momentum) && options.momentum >= 0, "sgd", "momentum", options.momentum, "0 or more");
  demand(!options.nesterov || options.momentum > 0, "sgd", "momentum", options.momentum, "positive with nesterov");
  OptimizerSpec spec;
  spec.kind = OptimizerKind::sgd;
  spec.settings.learning_rate = options.learning_rate;
  spec.settings.momentum = options.momentum;
  spec.settings.nesterov = options.nesterov;
  spec.settings.weight_decay = options.weight_decay;
  return spec;
}

OptimizerSpec adam(const AdamOptions& options) { return adam_like(OptimizerKind::adam, "adam", options); }

OptimizerSpec adamw(const AdamOptions& options) { return adam_like(OptimizerKind::adamw, "adamw", options); }

OptimizerKind parse_optimizer(const std::string& name) {
  for (const auto kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    if (name == to_string(kind)) return kind;
  }
  throw ConfigError(fmt::format("unknown optimizer '{}'; known: sgd, adam, adamw", name));
}

std::string to_string(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return "sgd";
    case OptimizerKind::adam:
      return "adam";
    case OptimizerKind::adamw:
      return "adamw";
  }
  throw ConfigError(fmt::format("unknown optimizer kind {}", static_cast<int>(kind)));
}

double state_factor(const OptimizerSpec& spec) {
  if (spec.kind != OptimizerKind::sgd) return 2;
  bool momentum = spec.settings.momentum != 0;
  for (const ParameterGroup& group : spec.groups) momentum = momentum || group.momentum.value_or(0) != 0;
  return momentum ? 1 : 0;
}

}  // namespace pipedream

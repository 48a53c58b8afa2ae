#include "partitioner/partition_options.h"

#include <fmt/format.h>

#include <cmath>

#include "pipedream/error.h"

namespace pipedream::detail {

bool plans_every_algorithm(CostModel model) { return model == CostModel::pipedream || model == CostModel::simulated; }

void check_options(const PartitionOptions& options) {
  for (const double factor : {options.state_factors.optimizer, options.state_factors.corrections}) {
    if (std::isfinite(factor) && factor >= 0) continue;
    throw ConfigError(fmt::format("state_factors: must be finite and not negative, found {}", factor));
  }
  if (options.algorithm == Algorithm::data_parallel && options.straight) {
    throw ConfigError("straight: data-parallel is one stage with replicas; a straight plan has none");
  }
  const bool is_general = plans_every_algorithm(options.cost_model);
  if (!is_general &&
      (options.algorithm == Algorithm::data_parallel || options.algorithm == Algorithm::model_parallel)) {
    throw ConfigError(fmt::format("cost_model: {} plans pipelines; {} has but one best plan",
                                  to_string(options.cost_model), to_string(options.algorithm)));
  }
  const bool interleaves = traits_of(options.algorithm).shares_workers;
  if (interleaves && !is_general) {
    throw ConfigError(fmt::format("cost_model: {} gives each worker one stage; {} several",
                                  to_string(options.cost_model), to_string(options.algorithm)));
  }
  if (options.stages_per_worker < 0 || options.stages_per_worker == 1) {
    throw ConfigError(
        fmt::format("stages_per_worker: must be 2 or more, or 0 for the best, found {}", options.stages_per_worker));
  }
  if (options.stages_per_worker > 0 && !interleaves) {
    throw ConfigError(fmt::format("stages_per_worker: {} gives each worker one stage; interleaved-1f1b several",
                                  to_string(options.algorithm)));
  }
}

}  // namespace pipedream::detail

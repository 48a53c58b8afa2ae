// What options of the planner contradict each other.
#pragma once

#include "pipedream/partition.h"

namespace pipedream::detail {

// Whether the model has plans for all algorithms, those included that leave it no choice of replicas or cuts.
bool plans_every_algorithm(CostModel model);

// Throws ConfigError that names the option and what would be legal.
void check_options(const PartitionOptions& options);

}  // namespace pipedream::detail

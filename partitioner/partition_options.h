// What options of the planner contradict each other.
#pragma once

#include "pipedream/partition.h"

namespace pipedream::detail {

// Throws ConfigError that names the option and what would be legal.
void check_options(const PartitionOptions& options);

}  // namespace pipedream::detail

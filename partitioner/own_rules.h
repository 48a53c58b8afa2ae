// The cost models that have rules of their own for memory and for how many workers a plan has: pipedream_compat, dapple
// and two_bw.
#pragma once

#include "pipedream/partition.h"

namespace pipedream::detail {

// The model's best plan, with the predictions of the paper's model. Throws ConfigError where it has none.
Plan plan_by_own_rules(const Profile& profile, const Topology& topology, const PartitionOptions& options);

}  // namespace pipedream::detail

// The cost model `simulated`: other models propose, the discrete-event simulator decides.
//
// Simulated are the plans of the other cost models as they are, straight plans, data parallelism, plans for fewer
// workers and, where stages may recompute, those that a memory limit refuses otherwise. The fastest of them get depths
// by choose_depths(); then the best one is changed in one respect at a time (partitioner/neighbours.h) as long as that
// makes it faster. So the plan is never slower, by simulation, than that of any other model on its own.
#pragma once

#include "pipedream/partition.h"

namespace pipedream::detail {

// All predictions filled; prediction.microbatch_us and search.bottleneck_us are simulated. Throws ConfigError where the
// other models have no plan either.
Plan simulated_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options);

}  // namespace pipedream::detail

// Plans of interleaved-1f1b: several stages a worker, in turn (Narayanan et al., "Efficient Large-Scale Language Model
// Training on GPU Clusters Using Megatron-LM", SC'21, section 2.2).
#pragma once

#include "pipedream/partition.h"

namespace pipedream::detail {

// Of p workers: v p stages, cut where the slowest of them is fastest, for the v (options.stages_per_worker, or 2 to 8)
// with the least time, predicted, or simulated under the cost model `simulated`; more stages a worker make the bubble
// shorter and the messages more. Messages go from each worker to the next and from the last to the first, so that every
// cut is charged with the slowest level. Throws ConfigError: a single worker, fewer layers than stages, nothing within
// the memory limit.
Plan interleaved_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options);

}  // namespace pipedream::detail

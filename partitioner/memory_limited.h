// The paper's cost model under a memory limit, for every algorithm that runs a pipeline.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "partitioner/paper_planner.h"
#include "partitioner/stage_memory.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

// Default depths (pipedream/plan.h). Some algorithms need more of the plan in every stage than what comes after it:
// under vertical_sync the versions of the first stage, under gpipe without microbatches_per_update the number of
// workers, of which an update has four microbatches each, and under two_bw whether an update has more than one. One
// search over the bottleneck asks for plans with any of these numbers; where a looser search finds none for a range of
// them at once, it is done with them. On several levels the number of workers is taken to be as many as there are.
// 0: the algorithm's default. Empty: no plan.
std::optional<FoundPipeline> fastest_within_memory(const PlanningStates& states, const Topology& topology,
                                                   const PaperOptions& options, StageMemory& memory,
                                                   Algorithm algorithm, std::int64_t microbatches_per_update);

}  // namespace pipedream::detail

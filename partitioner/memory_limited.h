// The paper's cost model under a memory limit, for every algorithm that runs a pipeline.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "partitioner/paper_planner.h"
#include "partitioner/stage_memory.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

// Default depths (pipedream/plan.h). Two algorithms need more of the plan in every stage than what comes after it:
// under vertical_sync the versions of the first stage, under gpipe and flush_1f1b without microbatches_per_update the
// number of workers, of which an update has four microbatches each; they are tried one after the other. On several
// levels the latter is taken to be as many as there are. 0: the algorithm's default. Empty: no plan.
std::optional<FoundPipeline> fastest_within_memory(const PlanningStates& states, const Topology& topology,
                                                   const PaperOptions& options, StageMemory& memory,
                                                   Algorithm algorithm, std::int64_t microbatches_per_update);

}  // namespace pipedream::detail

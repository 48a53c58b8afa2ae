// The plans that the cost model `simulated` starts with.
#pragma once

#include <string>
#include <vector>

#include "partitioner/states.h"
#include "pipedream/partition.h"

namespace pipedream::detail {

struct Proposal {
  std::string name;       // "pipedream", "data parallelism", ...
  Plan plan;              // with the depths of its model
  bool is_model = false;  // the plan of a cost model on its own, as asked for
};

// The plan of each other cost model first. They may need more memory than there is. Throws ConfigError where not even
// the first model has a plan, with or without the limit.
std::vector<Proposal> proposals(const Profile& profile, const PlanningStates& states, const Topology& topology,
                                const PartitionOptions& options);

}  // namespace pipedream::detail

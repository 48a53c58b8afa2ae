// The cost models that give a list of plans, best first, by a closed form of their own.
#pragma once

#include <vector>

#include "partitioner/states.h"
#include "pipedream/partition.h"

namespace pipedream::detail {

struct ClosedFormPlan {
  double microbatch_us = 0;  // in the model
  Plan plan;                 // default depths, no predictions
};

// At most `most` plans of CostModel::two_bw or dapple; none where no plan uses all workers, or memory has no room: by
// 2BW's own rule, and among those of dapple, where they are few, else its best, by what the algorithm needs. Of another
// model: none.
std::vector<ClosedFormPlan> closed_form_plans(const Profile& profile, const PlanningStates& states,
                                              const Topology& topology, const PartitionOptions& options,
                                              std::size_t most);

}  // namespace pipedream::detail

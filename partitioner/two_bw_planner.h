// The cost model of PipeDream-2BW's planner (Narayanan et al., ICML'21, section 4 and its appendix): d stages on w
// workers each.
//
// Of a stage let T be the compute of a microbatch, c = 1, or 4/3 where it recomputes, and T_in what it waits for its
// messages, activations from the stage before and gradients from the stage behind. R is a reduction of its gradients
// among w replicas, once in m microbatches of a replica. Then the pipeline has, of each replica, a microbatch every
// t = max over stages of max(c T + T_in, R / m), and of all of them one every t / w.
//
// Memory of a stage, W its weights, A what it keeps of a microbatch beside what comes in, I that: 2 W + d (A + I);
// recomputing 2 W + A + d I. With a flush there is one version of W, and under GPipe an update's m microbatches take
// the place of d. This is the model's own rule, not what the algorithm needs in the end.
//
// The paper has models of equal layers and cuts them evenly; here each (w, d) is cut where t is least. It also looks
// for the size of a microbatch, which a profile has fixed.
#pragma once

#include <cstdint>
#include <vector>

#include "partitioner/default_plan.h"
#include "partitioner/placement.h"
#include "partitioner/states.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

struct EqualWidthPlan {
  double microbatch_us = 0;  // t / w
  bool recompute = false;    // all stages
  std::vector<PlacedStage> stages;
};

struct EqualWidthOptions {
  PlannedAlgorithm under = {};
  bool straight = false;  // w = 1
  bool use_all = false;   // no worker idle
  std::size_t most = 1;   // plans
};

// Of each (w, d) the best plan; of those the fastest, best first, then fewest workers, then fewest stages. Stages
// recompute where memory has no room otherwise and the algorithm may. Where there are several levels, stages take
// workers in order, or the pipelines do, as is faster.
std::vector<EqualWidthPlan> equal_width_plans(const Profile& profile, const PlanningStates& states,
                                              const Topology& topology, const EqualWidthOptions& options);

}  // namespace pipedream::detail

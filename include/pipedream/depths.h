// How deep the stages of a plan should be: warm-up depths w(s) and reduction delays d(s), chosen by simulation.
//
// More depth hides transfers and differences between replicas, and costs versions, activations and staleness
// (docs/algorithms.md, "Choosing depths"). The search starts with the least depths and no delay, deepens until no
// resource could be busier, and takes back what bought nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/state_factors.h"
#include "pipedream/topology.h"

namespace pipedream {

struct DepthOptions {
  StateFactors state_factors = {};
  double tolerance = 0.01;                 // this much slower than possible is fast enough
  std::int64_t most_actions = 10'000'000;  // after as many simulated actions only what must be is tried
};

// Depths that the search went through, and what they bought.
struct DepthStep {
  std::string what;  // "least depths", "slack for transfers", ...
  std::vector<int> warmup;
  std::vector<int> reduce_delay;
  double microbatch_us = 0;       // simulated
  std::int64_t memory_bytes = 0;  // of the worker that needs most
  std::string limited_by;         // as in SimulationReport
  std::int64_t actions = 0;       // simulated so far; of the last step by the whole search
};

// Gives the plan the least depths and delays that come within the tolerance of SimulationReport::bound_us; where none
// that the topology's memory allows does, the least that are as fast as any that were tried. Sets memory_bytes of the
// stages' predictions, microbatch_us and bound_by of the plan's. The last step is what the plan has then.
// Throws ConfigError: what simulation_costs throws, an algorithm without depths, too little memory for any depth.
std::vector<DepthStep> choose_depths(Plan& plan, const Profile& profile, const Topology& topology,
                                     const DepthOptions& options = {});

}  // namespace pipedream

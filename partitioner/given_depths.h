// Depths as a command line gives them.
#pragma once

#include <string_view>
#include <vector>

#include "pipedream/cost_model.h"
#include "pipedream/plan.h"

namespace pipedream {

// By stage; empty: what the plan has.
struct GivenDepths {
  std::vector<int> warmup = {};
  std::vector<int> reduce_delay = {};
};

// Throws ConfigError that names --warmup or --reduce-delay where it is not one number for each stage. Whether the
// numbers are good validate(plan) tells.
void set_depths(Plan& plan, const GivenDepths& given);

// Whether --depths ("least", "simulated", empty: not given) asks for choose_depths() after a plan of this cost model.
// `simulated` has chosen depths itself; throws ConfigError where it is asked for the least ones.
bool asks_for_simulated_depths(std::string_view depths, CostModel model);

}  // namespace pipedream

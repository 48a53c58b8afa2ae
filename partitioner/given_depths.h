// Depths as a command line gives them.
#pragma once

#include <vector>

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

}  // namespace pipedream

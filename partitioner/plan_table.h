// A plan as a table for people.
#pragma once

#include <string>

#include "pipedream/plan.h"

namespace pipedream {

// One line a stage, then the expected time per microbatch, what binds it, and the alternatives. Figures that the plan
// does not have are "-".
std::string plan_table(const Plan& plan);

}  // namespace pipedream

// A plan as a table for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pipedream/plan.h"

namespace pipedream {

// "4 stages", "1 worker", "8 microbatches".
std::string count_of(std::int64_t number, std::string_view noun);

// "pipedream: 2 stages on 3 workers".
std::string plan_title(const Plan& plan);

// The title, one line a stage, then the expected time per microbatch, what binds it, and the alternatives. Figures that
// the plan does not have are "-".
std::string plan_table(const Plan& plan);

}  // namespace pipedream

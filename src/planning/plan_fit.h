// A plan held against the profile of its model.
#pragma once

#include <vector>

#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {

// By layer of the profile: the stage that has it. Both are valid by themselves, `ends` are the profile's. Throws
// ConfigError where they do not belong together.
std::vector<int> stages_of_layers(const Plan& plan, const Profile& profile, const std::vector<TensorEnds>& ends);

}  // namespace pipedream::detail

// Depths of a plan as slack: how many more microbatches each hop has in flight than starve no stage.
#pragma once

#include <vector>

#include "pipedream/plan.h"

namespace pipedream::detail {

// By hop, from stage s to s + 1: the depth of s beyond what that of s + 1 asks for.
std::vector<int> slack_of(const Plan& plan);

// More slack at one hop makes all stages before it as much deeper.
void set_slack(Plan& plan, const std::vector<int>& slack);

// Of all stages that have replicas.
void set_delay(Plan& plan, int delay);

std::vector<int> delays_of(const Plan& plan);  // by stage

// Depths and delays.
bool same_depths(const Plan& a, const Plan& b);

}  // namespace pipedream::detail

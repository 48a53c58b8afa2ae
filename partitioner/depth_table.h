// The steps of a search for depths as a table for people.
#pragma once

#include <string>
#include <vector>

#include "pipedream/depths.h"

namespace pipedream {

// One line a step: depths and delays by stage, time per microbatch, memory of the worker that needs most.
std::string depth_table(const std::vector<DepthStep>& steps);

}  // namespace pipedream

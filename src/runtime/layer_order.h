// The order of a graph's layers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipedream/layer_graph.h"

namespace pipedream::detail {

// Which layer makes each tensor.
std::map<std::string, std::string> producers_of(const std::vector<Layer>& layers);

// Stable topological order: of the layers whose producers all have their place, always the one declared first. Inputs
// that no layer makes count as data. Throws ConfigError naming the layers of a cycle.
std::vector<Layer> in_graph_order(const std::vector<Layer>& layers);

}  // namespace pipedream::detail

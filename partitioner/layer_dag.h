// The graph of a model's layers, or of blocks of layers that are kept together.
#pragma once

#include <optional>
#include <vector>

#include "partitioner/layer_set.h"
#include "pipedream/profile.h"

namespace pipedream::detail {

// Nodes are in topological order; each producer and consumer is listed once.
struct LayerDag {
  std::vector<std::vector<int>> producers;
  std::vector<std::vector<int>> consumers;

  int nodes() const { return static_cast<int>(producers.size()); }
};

LayerDag layer_dag(const Profile& profile);

// ancestors[n]: all nodes from which a path leads to n.
std::vector<LayerSet> ancestors(const LayerDag& dag);

// All downward-closed sets of nodes, the empty one first; empty: there are more than `most`.
std::optional<std::vector<LayerSet>> ideals(const LayerDag& dag, int most);

// The nodes of each block made one; `block` numbers them from 0 on in topological order, each convex.
LayerDag contracted(const LayerDag& dag, const std::vector<int>& block);

}  // namespace pipedream::detail

// Fewer places to cut a graph with too many: blocks of layers that stay together.
//
// Between two nodes that every path passes, the ideals of what lies there are counted apart. While all together are too
// many, the part with most of them loses its innermost parallel branches (branches between the same two nodes, found by
// series and parallel reductions), those with the least compute first; a part that has none left becomes one block.
#pragma once

#include <vector>

#include "partitioner/layer_dag.h"

namespace pipedream::detail {

struct Contraction {
  std::vector<int> block_of_layer;  // numbered in topological order
  int blocks_made = 0;              // of several layers
  int layers_inside = 0;            // of those
};

// Until ideals(contracted(dag, block_of_layer), most) exists; most >= nodes + 1. `weight`: of each node.
Contraction contract(const LayerDag& dag, const std::vector<double>& weight, int most);

}  // namespace pipedream::detail

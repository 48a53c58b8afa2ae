#include "partitioner/layer_dag.h"

#include <algorithm>
#include <unordered_set>

#include "partitioner/index.h"
#include "planning/profile_graph.h"

namespace pipedream::detail {
namespace {

void sort_unique(std::vector<int>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

void sort_edges(LayerDag& dag) {
  for (auto& list : dag.producers) sort_unique(list);
  for (auto& list : dag.consumers) sort_unique(list);
}

LayerDag without_edges(std::size_t nodes) {
  return {std::vector<std::vector<int>>(nodes), std::vector<std::vector<int>>(nodes)};
}

// A set and the nodes that could be added to it.
struct Open {
  LayerSet set;
  std::vector<int> addable;
};

Open extended(const LayerDag& dag, const Open& open, int added) {
  Open result{open.set, {}};
  result.set.insert(added);
  for (const int node : open.addable) {
    if (node != added) result.addable.push_back(node);
  }
  for (const int node : dag.consumers[at(added)]) {
    const auto& producers = dag.producers[at(node)];
    const auto is_in = [&](int producer) { return result.set.contains(producer); };
    if (std::all_of(producers.begin(), producers.end(), is_in)) result.addable.push_back(node);
  }
  return result;
}

}  // namespace

LayerDag layer_dag(const Profile& profile) {
  LayerDag dag = without_edges(profile.layers.size());
  for (const TensorEnds& tensor : tensor_ends(profile)) {
    for (const int consumer : tensor.consumers) {
      dag.producers[at(consumer)].push_back(tensor.producer);
      dag.consumers[at(tensor.producer)].push_back(consumer);
    }
  }
  sort_edges(dag);
  return dag;
}

std::vector<LayerSet> ancestors(const LayerDag& dag) {
  std::vector<LayerSet> result;
  for (int node = 0; node < dag.nodes(); ++node) {
    LayerSet set(dag.nodes());
    for (const int producer : dag.producers[at(node)]) {
      set |= result[at(producer)];
      set.insert(producer);
    }
    result.push_back(std::move(set));
  }
  return result;
}

std::optional<std::vector<LayerSet>> ideals(const LayerDag& dag, int most) {
  Open empty{LayerSet(dag.nodes()), {}};
  for (int node = 0; node < dag.nodes(); ++node) {
    if (dag.producers[at(node)].empty()) empty.addable.push_back(node);
  }
  std::unordered_set<LayerSet, LayerSetHash> seen{empty.set};
  std::vector<LayerSet> result{empty.set};
  // Sets of one size after those of the size before.
  std::vector<Open> layer;
  layer.push_back(std::move(empty));
  while (!layer.empty()) {
    std::vector<Open> next;
    for (const Open& open : layer) {
      for (const int node : open.addable) {
        LayerSet set = open.set;
        set.insert(node);
        if (!seen.insert(set).second) continue;
        if (static_cast<int>(seen.size()) > most) return std::nullopt;
        result.push_back(std::move(set));
        next.push_back(extended(dag, open, node));
      }
    }
    layer = std::move(next);
  }
  return result;
}

LayerDag contracted(const LayerDag& dag, const std::vector<int>& block) {
  LayerDag result = without_edges(at(*std::max_element(block.begin(), block.end()) + 1));
  for (int node = 0; node < dag.nodes(); ++node) {
    for (const int consumer : dag.consumers[at(node)]) {
      const int from = block[at(node)];
      const int to = block[at(consumer)];
      if (from == to) continue;
      result.consumers[at(from)].push_back(to);
      result.producers[at(to)].push_back(from);
    }
  }
  sort_edges(result);
  return result;
}

}  // namespace pipedream::detail

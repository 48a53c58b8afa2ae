#include "partitioner/compat_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "partitioner/index.h"
#include "partitioner/layer_dag.h"
#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

constexpr int kMostBranching = 5000;

std::vector<std::int64_t> output_bytes(const Profile& profile) {
  std::vector<std::int64_t> bytes(profile.layers.size(), 0);
  std::size_t layer = 0;  // tensors stand in the order of their producers
  for (const TensorProfile& tensor : profile.tensors) {
    while (profile.layers[layer].name != tensor.producer) ++layer;
    bytes[layer] += tensor.bytes;
  }
  return bytes;
}

class Reach {
 public:
  explicit Reach(const Profile& profile)
      : profile_(profile), dag_(layer_dag(profile)), ancestors_(ancestors(dag_)), output_bytes_(output_bytes(profile)) {
    const LayerProfile& last = profile.layers.back();
    const bool is_free = last.forward_us + last.backward_us == 0 && last.parameter_bytes == 0;
    joins_ = is_free && output_bytes_.back() == 0 && dag_.producers.back().size() > 1;
    for (int layer = 0; layer < dag_.nodes(); ++layer) {
      if (users(layer) > 1) forks_.push_back(layer);
    }
    for (int layer = 0; layer < dag_.nodes(); ++layer) still_needed_.push_back(still_needed(layer));
  }

  // All states but the empty one, with the joining layer in the last.
  std::vector<LayerSet> sets() {
    Open start{LayerSet(dag_.nodes()), {}, {}};
    grow(start, 0);
    std::unordered_set<LayerSet, LayerSetHash> seen{start.set};
    std::vector<LayerSet> result{start.set};
    cut_bytes_[start.set] = charged_bytes(start);
    for (std::vector<Open> open{std::move(start)}; !open.empty();) {
      std::vector<Open> next;
      for (const Open& state : open) {
        for (const int layer : state.reachable) {
          Open longer = state;
          grow(longer, layer);
          if (!seen.insert(longer.set).second) continue;
          refuse_too_many(seen.size());
          result.push_back(longer.set);
          cut_bytes_[longer.set] = charged_bytes(longer);
          next.push_back(std::move(longer));
        }
      }
      open = std::move(next);
    }
    finish(result);
    return result;
  }

  // Of a state that sets() found; 0 of the empty one and of the whole.
  std::int64_t cut_bytes(const LayerSet& set) const {
    const auto found = cut_bytes_.find(set);
    return found == cut_bytes_.end() ? 0 : found->second;
  }

  std::int64_t sum(const LayerSet& set) const {
    std::int64_t bytes = 0;
    set.for_each([&](int layer) { bytes += output_bytes_[at(layer)]; });
    return bytes;
  }

 private:
  struct Open {
    LayerSet set;
    std::vector<int> reachable;  // users of its layers that are not in it
    std::vector<int> tops;       // its layers without a user in it
  };

  std::int64_t charged_bytes(const Open& open) const {
    LayerSet charged(dag_.nodes());
    for (const int layer : open.tops) {
      charged.insert(layer);
      charged |= still_needed_[at(layer)];
    }
    return sum(charged);
  }

  bool is_node(int layer) const { return !joins_ || layer + 1 < dag_.nodes(); }

  int users(int layer) const {
    const auto& consumers = dag_.consumers[at(layer)];
    return static_cast<int>(std::count_if(consumers.begin(), consumers.end(), [&](int c) { return is_node(c); }));
  }

  bool has_user_in(const LayerSet& set, int layer) const {
    const auto& consumers = dag_.consumers[at(layer)];
    return std::any_of(consumers.begin(), consumers.end(), [&](int c) { return is_node(c) && set.contains(c); });
  }

  // Ancestors of the layer with a user beside it and its ancestors. One with a single user has none: a path leads
  // through that one.
  LayerSet still_needed(int layer) const {
    LayerSet result(dag_.nodes());
    const LayerSet& before = ancestors_[at(layer)];
    for (const int fork : forks_) {
      if (fork >= layer) break;
      if (!before.contains(fork)) continue;
      const auto is_elsewhere = [&](int user) { return is_node(user) && user != layer && !before.contains(user); };
      const auto& consumers = dag_.consumers[at(fork)];
      if (std::any_of(consumers.begin(), consumers.end(), is_elsewhere)) result.insert(fork);
    }
    return result;
  }

  void grow(Open& open, int layer) const {
    std::vector<int> added{layer};
    ancestors_[at(layer)].for_each_without(open.set, [&](int ancestor) { added.push_back(ancestor); });
    for (const int node : added) open.set.insert(node);
    open.tops.insert(open.tops.end(), added.begin(), added.end());
    std::erase_if(open.tops, [&](int node) { return has_user_in(open.set, node); });
    for (const int node : added) {
      for (const int user : dag_.consumers[at(node)]) {
        if (is_node(user)) open.reachable.push_back(user);
      }
    }
    std::sort(open.reachable.begin(), open.reachable.end());
    open.reachable.erase(std::unique(open.reachable.begin(), open.reachable.end()), open.reachable.end());
    std::erase_if(open.reachable, [&](int node) { return open.set.contains(node); });
  }

  void refuse_too_many(std::size_t states) const {
    if (states <= at(dag_.nodes()) + kMostBranching) return;
    throw ConfigError(
        fmt::format("cost_model: the graph branches into more than {} states, and pipedream-compat "
                    "looks at all; the model \"pipedream\" keeps branches together",
                    at(dag_.nodes()) + kMostBranching));
  }

  // Exactly one state has all that can be reached.
  void finish(std::vector<LayerSet>& sets) const {
    const auto smaller = [](const LayerSet& a, const LayerSet& b) { return a.size() < b.size(); };
    LayerSet& whole = *std::max_element(sets.begin(), sets.end(), smaller);
    if (joins_) whole.insert(dag_.nodes() - 1);
    for (int layer = 0; layer < dag_.nodes(); ++layer) {
      if (whole.contains(layer)) continue;
      throw ConfigError(
          fmt::format("cost_model: pipedream-compat starts with layer \"{}\" and cannot reach layer \"{}\" from there",
                      profile_.layers.front().name, profile_.layers[at(layer)].name));
    }
  }

  const Profile& profile_;
  LayerDag dag_;
  std::vector<LayerSet> ancestors_;
  std::vector<std::int64_t> output_bytes_;
  bool joins_ = false;
  std::vector<int> forks_;
  std::vector<LayerSet> still_needed_;  // by layer
  std::unordered_map<LayerSet, std::int64_t, LayerSetHash> cut_bytes_;
};

}  // namespace

CompatGraph compat_graph(const Profile& profile) {
  Reach reach(profile);
  std::vector<LayerSet> sets = reach.sets();
  sets.emplace_back(static_cast<int>(profile.layers.size()));
  CompatGraph graph{{profile, std::move(sets), ""}, {}, {}};
  for (int s = 0; s < graph.states.count(); ++s) {
    graph.cut_bytes.push_back(reach.cut_bytes(graph.states.set(s)));
    graph.activation_bytes.push_back(reach.sum(graph.states.set(s)));
  }
  return graph;
}

}  // namespace pipedream::detail

// Every plan of the released optimizer's arithmetic, for small models.
#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "oracle.h"

namespace pipedream::testing {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();

using Set = std::set<int>;

struct Graph {
  std::vector<Set> producers;
  std::vector<Set> consumers;
  std::vector<double> output_bytes;
};

Graph graph_of(const Profile& profile) {
  std::map<std::string, int> index;
  for (const LayerProfile& layer : profile.layers) index.emplace(layer.name, static_cast<int>(index.size()));
  Graph graph{std::vector<Set>(index.size()), std::vector<Set>(index.size()), std::vector<double>(index.size(), 0)};
  for (const TensorProfile& tensor : profile.tensors) {
    const int producer = index.at(tensor.producer);
    graph.output_bytes[static_cast<std::size_t>(producer)] += static_cast<double>(tensor.bytes);
    for (const std::string& user : tensor.consumers) {
      graph.consumers[static_cast<std::size_t>(producer)].insert(index.at(user));
      graph.producers[static_cast<std::size_t>(index.at(user))].insert(producer);
    }
  }
  return graph;
}

Set ancestors(const Graph& graph, int layer) {
  Set result;
  for (const int producer : graph.producers[static_cast<std::size_t>(layer)]) {
    result.insert(producer);
    result.merge(ancestors(graph, producer));
  }
  return result;
}

bool contains(const Set& outer, const Set& inner) {
  return std::includes(outer.begin(), outer.end(), inner.begin(), inner.end());
}

std::set<Set> states_of(const Graph& graph) {
  Set start = ancestors(graph, 0);
  start.insert(0);
  std::set<Set> found{start};
  for (std::vector<Set> open{start}; !open.empty();) {
    const Set state = open.back();
    open.pop_back();
    for (int layer = 0; layer < static_cast<int>(graph.producers.size()); ++layer) {
      const Set& producers = graph.producers[static_cast<std::size_t>(layer)];
      const bool joins = std::any_of(producers.begin(), producers.end(), [&](int p) { return state.count(p) > 0; });
      if (!joins || state.count(layer) > 0) continue;
      Set next = state;
      next.insert(layer);
      next.merge(ancestors(graph, layer));
      if (found.insert(next).second) open.push_back(next);
    }
  }
  return found;
}

// The antichain, and ancestors of its members with a user that is neither the member nor an ancestor of it.
double cut_bytes(const Graph& graph, const Set& state) {
  Set charged;
  for (const int member : state) {
    const Set& users = graph.consumers[static_cast<std::size_t>(member)];
    if (std::any_of(users.begin(), users.end(), [&](int user) { return state.count(user) > 0; })) continue;
    charged.insert(member);
    const Set before = ancestors(graph, member);
    for (const int ancestor : before) {
      for (const int user : graph.consumers[static_cast<std::size_t>(ancestor)]) {
        if (user != member && before.count(user) == 0) charged.insert(ancestor);
      }
    }
  }
  double bytes = 0;
  for (const int layer : charged) bytes += graph.output_bytes[static_cast<std::size_t>(layer)];
  return bytes;
}

class CompatEnumeration {
 public:
  CompatEnumeration(const Profile& profile, const Topology& topology, bool straight)
      : profile_(profile), topology_(topology), straight_(straight), graph_(graph_of(profile)) {
    states_.push_back({});
    for (const Set& state : states_of(graph_)) states_.push_back(state);
    for (const Set& state : states_) cut_bytes_.push_back(cut_bytes(graph_, state));
  }

  // Of the range between two states, on all components of the level: each plan is walked through.
  double best(std::size_t level, std::size_t from, std::size_t to) {
    const auto key = std::tuple(level, from, to);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    double least = kNone;
    walk(level, from, from, to, 0, 0, least);
    return known_[key] = least;
  }

  double whole() {
    std::size_t last = 0;
    for (std::size_t s = 0; s < states_.size(); ++s) last = states_[s].size() > states_[last].size() ? s : last;
    return best(topology_.levels.size() - 1, 0, last);
  }

 private:
  double sum(std::size_t from, std::size_t to, double (*of)(const Profile&, const Graph&, std::size_t)) const {
    double result = 0;
    for (const int layer : states_[to]) {
      if (states_[from].count(layer) == 0) result += of(profile_, graph_, static_cast<std::size_t>(layer));
    }
    return result;
  }

  double component_us(std::size_t level, std::size_t from, std::size_t to) {
    if (level > 0) return best(level - 1, from, to);
    return sum(from, to, [](const Profile& profile, const Graph&, std::size_t l) {
      return profile.layers[l].forward_us + profile.layers[l].backward_us;
    });
  }

  void walk(std::size_t level, std::size_t begin, std::size_t from, std::size_t to, int used, double worst,
            double& least) {
    const TopologyLevel& links = topology_.levels[level];
    const double rate = links.bandwidth_bytes_per_s / 1e6;
    if (from == to) {
      if (used == links.count) least = std::min(least, worst);
      return;
    }
    for (std::size_t end = 1; end < states_.size(); ++end) {
      if (states_[end] == states_[from] || !contains(states_[end], states_[from]) ||
          !contains(states_[to], states_[end])) {
        continue;
      }
      const double weights = sum(from, end, [](const Profile& profile, const Graph&, std::size_t l) {
        return static_cast<double>(profile.layers[l].parameter_bytes);
      });
      const double outputs =
          sum(from, end, [](const Profile&, const Graph& graph, std::size_t l) { return graph.output_bytes[l]; });
      for (int m = 1; m <= (straight_ ? 1 : links.count) && used + m <= links.count; ++m) {
        const std::int64_t limit = topology_.memory_bytes_per_worker;
        const int rounds = (links.count - used - m + m - 1) / m;
        if (limit > 0 && rounds * (weights + outputs) > static_cast<double>(limit)) continue;
        double reduction = 4 * (m - 1) * weights / (rate * m);
        if (from == begin && level > 0) reduction /= topology_.levels[level - 1].count;
        double us = (component_us(level, from, end) + reduction) / m;
        if (from != begin) {
          us = std::max(us, 2 * cut_bytes_[from] / (rate * m));
          if (states_[end].size() < profile_.layers.size()) us = std::max(us, 2 * cut_bytes_[end] / (rate * m));
        }
        if (us < kNone) walk(level, begin, end, to, used + m, std::max(worst, us), least);
      }
    }
  }

  const Profile& profile_;
  const Topology& topology_;
  bool straight_;
  Graph graph_;
  std::vector<Set> states_;
  std::vector<double> cut_bytes_;
  std::map<std::tuple<std::size_t, std::size_t, std::size_t>, double> known_;
};

}  // namespace

std::optional<double> best_compat_us(const Profile& profile, const Topology& topology, bool straight) {
  const double us = CompatEnumeration(profile, topology, straight).whole();
  return us < kNone ? std::optional(us) : std::nullopt;
}

}  // namespace pipedream::testing

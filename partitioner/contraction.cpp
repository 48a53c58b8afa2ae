#include "partitioner/contraction.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "partitioner/index.h"

namespace pipedream::detail {
namespace {

// The maximal sets of nodes between two successive nodes that are comparable with all others, each ascending.
std::vector<std::vector<int>> parts_between_cuts(const LayerDag& dag) {
  const std::vector<LayerSet> before = ancestors(dag);
  std::vector<int> comparable(at(dag.nodes()), 0);
  for (int node = 0; node < dag.nodes(); ++node) {
    before[at(node)].for_each([&](int ancestor) {
      ++comparable[at(node)];
      ++comparable[at(ancestor)];
    });
  }
  std::vector<std::vector<int>> parts(1);
  // Topological order: what stands between two such nodes lies between them.
  for (int node = 0; node < dag.nodes(); ++node) {
    if (comparable[at(node)] == dag.nodes() - 1) {
      parts.emplace_back();
    } else {
      parts.back().push_back(node);
    }
  }
  std::erase_if(parts, [](const std::vector<int>& part) { return part.empty(); });
  return parts;
}

LayerDag induced(const LayerDag& dag, const std::vector<int>& part) {
  std::map<int, int> position;
  for (std::size_t i = 0; i < part.size(); ++i) position[part[i]] = static_cast<int>(i);
  LayerDag result{std::vector<std::vector<int>>(part.size()), std::vector<std::vector<int>>(part.size())};
  for (std::size_t i = 0; i < part.size(); ++i) {
    for (const int consumer : dag.consumers[at(part[i])]) {
      const auto found = position.find(consumer);
      if (found == position.end()) continue;
      result.consumers[i].push_back(found->second);
      result.producers[at(found->second)].push_back(static_cast<int>(i));
    }
  }
  return result;
}

// Series and parallel reductions of a part between its two ends. An edge carries the nodes that it stands for.
class BranchSearch {
 public:
  BranchSearch(const LayerDag& part, const std::vector<double>& weight)
      : nodes_(part.nodes()), weight_(weight), in_(at(nodes_ + 2)), out_(at(nodes_ + 2)) {
    const int source = nodes_;
    const int sink = nodes_ + 1;
    for (int node = 0; node < nodes_; ++node) {
      if (part.producers[at(node)].empty()) add_edge(source, node, {});
      if (part.consumers[at(node)].empty()) add_edge(node, sink, {});
      for (const int consumer : part.consumers[at(node)]) add_edge(node, consumer, {});
    }
  }

  // The lightest nodes of parallel branches that have no such branches inside; empty: there are none.
  std::vector<int> lightest() {
    std::vector<int> work(at(nodes_));
    std::iota(work.rbegin(), work.rend(), 0);
    while (!work.empty()) {
      const int node = work.back();
      work.pop_back();
      if (node >= nodes_ || in_[at(node)].size() != 1 || out_[at(node)].size() != 1) continue;
      const int from = *in_[at(node)].begin();
      const int to = *out_[at(node)].begin();
      reduce(from, node, to);
      work.push_back(to);
      work.push_back(from);
    }
    return best_;
  }

 private:
  // Of edges between the same nodes one is kept; branches that both have nodes are what is looked for.
  void add_edge(int from, int to, std::vector<int> inside) {
    out_[at(from)].insert(to);
    in_[at(to)].insert(from);
    std::vector<int>& held = inside_[{from, to}];
    const bool both = !held.empty() && !inside.empty();
    held.insert(held.end(), inside.begin(), inside.end());
    if (both) consider(from, to, held);
  }

  void consider(int from, int to, const std::vector<int>& inside) {
    double sum = 0;
    for (const int node : inside) sum += weight_[at(node)];
    // A third branch between the same nodes belongs to the first two.
    const bool grows = from == best_from_ && to == best_to_;
    if (!best_.empty() && !grows && sum >= best_weight_) return;
    best_ = inside;
    best_weight_ = sum;
    best_from_ = from;
    best_to_ = to;
  }

  // One edge for a node with a single edge in and a single edge out.
  void reduce(int from, int node, int to) {
    std::vector<int> inside = std::move(inside_.extract({from, node}).mapped());
    inside.push_back(node);
    const std::vector<int> rest = std::move(inside_.extract({node, to}).mapped());
    inside.insert(inside.end(), rest.begin(), rest.end());
    out_[at(from)].erase(node);
    in_[at(to)].erase(node);
    in_[at(node)].clear();
    out_[at(node)].clear();
    add_edge(from, to, std::move(inside));
  }

  int nodes_;
  const std::vector<double>& weight_;
  std::vector<std::set<int>> in_;
  std::vector<std::set<int>> out_;
  std::map<std::pair<int, int>, std::vector<int>> inside_;
  std::vector<int> best_;
  double best_weight_ = 0;
  int best_from_ = -1;
  int best_to_ = -1;
};

// Blocks in topological order of the graph they make, by Kahn's algorithm on the first node of each.
std::vector<int> renumbered(const LayerDag& dag, const std::vector<int>& group) {
  const int groups = *std::max_element(group.begin(), group.end()) + 1;
  std::vector<std::vector<int>> next(at(groups));
  std::vector<int> waits_for(at(groups), 0);
  for (int node = 0; node < dag.nodes(); ++node) {
    for (const int consumer : dag.consumers[at(node)]) {
      if (group[at(node)] == group[at(consumer)]) continue;
      next[at(group[at(node)])].push_back(group[at(consumer)]);
      ++waits_for[at(group[at(consumer)])];
    }
  }
  std::vector<int> number(at(groups), -1);
  std::vector<int> ready;
  for (int g = groups; g-- > 0;) {
    if (waits_for[at(g)] == 0) ready.push_back(g);
  }
  for (int count = 0; !ready.empty(); ++count) {
    const int g = ready.back();
    ready.pop_back();
    number[at(g)] = count;
    for (const int to : next[at(g)]) {
      if (--waits_for[at(to)] == 0) ready.push_back(to);
    }
  }
  std::vector<int> result;
  for (const int g : group) result.push_back(number[at(g)]);
  return result;
}

// Makes one block of the given ones, all others as they are.
std::vector<int> joined(const LayerDag& dag, const std::vector<int>& block, const std::vector<int>& members) {
  const int blocks = *std::max_element(block.begin(), block.end()) + 1;
  std::vector<int> name(at(blocks));
  std::iota(name.begin(), name.end(), 0);
  for (const int member : members) name[at(member)] = members.front();
  // Numbers without gaps.
  std::vector<int> used = name;
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  std::vector<int> group;
  for (const int b : block) {
    group.push_back(static_cast<int>(std::lower_bound(used.begin(), used.end(), name[at(b)]) - used.begin()));
  }
  return renumbered(dag, group);
}

// A part with the blocks that are made of its nodes.
class Part {
 public:
  Part(const LayerDag& dag, std::vector<int> nodes, const std::vector<double>& weight, int most)
      : nodes_(std::move(nodes)), dag_(induced(dag, nodes_)), block_(nodes_.size()), most_(most) {
    for (const int node : nodes_) weight_.push_back(weight[at(node)]);
    std::iota(block_.begin(), block_.end(), 0);
    count();
  }

  std::int64_t ideals_count() const { return count_; }
  const std::vector<int>& nodes() const { return nodes_; }
  const std::vector<int>& blocks() const { return block_; }

  void join_branches() {
    const LayerDag current = contracted(dag_, block_);
    std::vector<double> weights(at(current.nodes()), 0);
    for (std::size_t i = 0; i < block_.size(); ++i) weights[at(block_[i])] += weight_[i];
    std::vector<int> members = BranchSearch(current, weights).lightest();
    if (members.empty()) {
      members.resize(at(current.nodes()));
      std::iota(members.begin(), members.end(), 0);
    }
    block_ = joined(dag_, block_, members);
    count();
  }

 private:
  void count() {
    const auto found = ideals(contracted(dag_, block_), most_);
    count_ = found ? static_cast<std::int64_t>(found->size()) : std::numeric_limits<int>::max();
  }

  std::vector<int> nodes_;
  LayerDag dag_;
  std::vector<double> weight_;
  std::vector<int> block_;
  int most_;
  std::int64_t count_ = 0;
};

std::vector<int> blocks_of_layers(const LayerDag& dag, const std::vector<Part>& parts) {
  std::vector<int> group(at(dag.nodes()), -1);
  int next = 0;
  for (const Part& part : parts) {
    const int first = next;
    for (std::size_t i = 0; i < part.nodes().size(); ++i) {
      group[at(part.nodes()[i])] = first + part.blocks()[i];
      next = std::max(next, first + part.blocks()[i] + 1);
    }
  }
  for (int& g : group) {
    if (g < 0) g = next++;
  }
  return renumbered(dag, group);
}

}  // namespace

Contraction contract(const LayerDag& dag, const std::vector<double>& weight, int most) {
  std::vector<Part> parts;
  std::int64_t total = dag.nodes() + 1;
  for (std::vector<int>& nodes : parts_between_cuts(dag)) {
    total -= static_cast<std::int64_t>(nodes.size());
    parts.emplace_back(dag, std::move(nodes), weight, most);
    total += parts.back().ideals_count() - 1;
  }
  while (total > most) {
    const auto fewer = [](const Part& a, const Part& b) { return a.ideals_count() < b.ideals_count(); };
    Part& worst = *std::max_element(parts.begin(), parts.end(), fewer);
    total -= worst.ideals_count();
    worst.join_branches();
    total += worst.ideals_count();
  }
  Contraction result;
  result.block_of_layer = blocks_of_layers(dag, parts);
  std::vector<int> size(at(dag.nodes()), 0);
  for (const int block : result.block_of_layer) ++size[at(block)];
  for (const int layers : size) {
    if (layers < 2) continue;
    ++result.blocks_made;
    result.layers_inside += layers;
  }
  return result;
}

}  // namespace pipedream::detail

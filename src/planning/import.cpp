#include "pipedream/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <queue>

#include "pipedream/error.h"
#include "planning/artifact_graph.h"
#include "planning/atomic_file.h"
#include "planning/json_fields.h"

namespace pipedream {
namespace {

using detail::ArtifactNode;
using Nodes = std::vector<ArtifactNode>;

const ArtifactNode& at(const Nodes& nodes, int index) { return nodes[static_cast<std::size_t>(index)]; }

// Judged by the edges of the file, not by those that are left: of what only a dropped node uses nothing follows.
std::vector<char> kept_nodes(const Nodes& nodes) {
  std::vector<char> kept(nodes.size(), 1);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool is_input = nodes[i].producers.empty() && nodes[i].description.starts_with("Input");
    const bool is_unused = nodes[i].consumers.empty() && nodes[i].description.starts_with("__getitem__");
    if (is_input || is_unused) kept[i] = 0;
  }
  return kept;
}

// Of the kept nodes whose producers all stand before, the first of the file comes next.
std::vector<int> topological_order(const Nodes& nodes, const std::vector<char>& kept) {
  std::vector<int> waits_for(nodes.size(), 0);
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  const auto is_kept = [&](int node) { return kept[static_cast<std::size_t>(node)] != 0; };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    waits_for[i] = static_cast<int>(std::count_if(nodes[i].producers.begin(), nodes[i].producers.end(), is_kept));
    if (kept[i] && waits_for[i] == 0) ready.push(static_cast<int>(i));
  }
  std::vector<int> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const int consumer : at(nodes, order.back()).consumers) {
      if (is_kept(consumer) && --waits_for[static_cast<std::size_t>(consumer)] == 0) ready.push(consumer);
    }
  }
  return order;
}

LayerProfile layer_of(const ArtifactNode& node) {
  LayerProfile layer;
  layer.name = node.id;
  layer.forward_us = node.forward_us;
  layer.backward_us = node.backward_us;
  layer.parameter_bytes = node.parameter_bytes;
  layer.keeps_output = true;
  return layer;
}

class Importer {
 public:
  Importer(const Nodes& nodes, const std::string& source)
      : nodes_(nodes), source_(source), kept_(kept_nodes(nodes)), order_(topological_order(nodes, kept_)) {
    place_.assign(nodes.size(), -1);
    for (std::size_t i = 0; i < order_.size(); ++i) place_[static_cast<std::size_t>(order_[i])] = static_cast<int>(i);
  }

  Profile profile() {
    refuse_cycle();
    const int ends = count_ends();
    Profile result;
    result.device = "as the artifact's profile says";
    for (const int node : order_) result.layers.push_back(layer_of(at(nodes_, node)));
    if (ends > 1) result.layers.push_back(joining_layer());
    for (const int node : order_) result.tensors.push_back(tensor_of(node, ends > 1));
    return result;
  }

 private:
  void refuse_cycle() const {
    const auto kept = std::count(kept_.begin(), kept_.end(), 1);
    if (kept == 0) throw ConfigError(fmt::format("{}: there is no node that computes anything", source_));
    std::vector<char> ordered(nodes_.size(), 0);
    for (const int node : order_) ordered[static_cast<std::size_t>(node)] = 1;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (kept_[i] && !ordered[i]) {
        throw ConfigError(fmt::format("{}: node \"{}\" is in a cycle of edges or behind one", source_, nodes_[i].id));
      }
    }
  }

  bool ends_the_graph(int node) const {
    const auto& consumers = at(nodes_, node).consumers;
    return std::none_of(consumers.begin(), consumers.end(),
                        [&](int consumer) { return kept_[static_cast<std::size_t>(consumer)] != 0; });
  }

  int count_ends() const {
    return static_cast<int>(
        std::count_if(order_.begin(), order_.end(), [&](int node) { return ends_the_graph(node); }));
  }

  LayerProfile joining_layer() const {
    LayerProfile layer;
    layer.name = "loss";
    const auto named = [&](const ArtifactNode& node) { return node.id == layer.name; };
    if (std::any_of(nodes_.begin(), nodes_.end(), named)) {
      throw ConfigError(
          fmt::format("{}: several nodes end the graph, and the name \"loss\" of the layer that would "
                      "join them is taken",
                      source_));
    }
    return layer;
  }

  // Once per use, in the order of the layers.
  TensorProfile tensor_of(int node, bool has_joining_layer) const {
    TensorProfile tensor;
    tensor.name = at(nodes_, node).id + ".out";
    tensor.producer = at(nodes_, node).id;
    tensor.bytes = at(nodes_, node).activation_bytes;
    if (ends_the_graph(node) && has_joining_layer) tensor.consumers.push_back("loss");
    std::vector<int> users;
    for (const int consumer : at(nodes_, node).consumers) users.push_back(place_[static_cast<std::size_t>(consumer)]);
    std::sort(users.begin(), users.end());
    for (const int user : users) {
      if (user >= 0) tensor.consumers.push_back(at(nodes_, order_[static_cast<std::size_t>(user)]).id);
    }
    return tensor;
  }

  const Nodes& nodes_;
  const std::string& source_;
  std::vector<char> kept_;
  std::vector<int> order_;
  std::vector<int> place_;  // of a node in the order; -1: dropped
};

}  // namespace

Profile parse_artifact_graph(std::string_view text, const std::string& source) {
  const Nodes nodes = detail::parse_artifact_nodes(text, source);
  Profile profile = Importer(nodes, source).profile();
  detail::with_source(source, [&] { validate(profile); });
  return profile;
}

Profile import_profile(const std::filesystem::path& path) {
  return parse_artifact_graph(read_whole_file(path), path.string());
}

}  // namespace pipedream

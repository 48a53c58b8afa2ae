#include "pipedream/export.h"

#include <fmt/format.h>

#include <unordered_map>

#include "pipedream/import.h"
#include "planning/artifact_graph.h"
#include "planning/plan_fit.h"

namespace pipedream {
namespace {

using detail::ArtifactNode;

std::vector<ArtifactNode> nodes_of(const Profile& profile, const std::vector<detail::TensorEnds>& ends) {
  std::vector<ArtifactNode> nodes;
  for (const LayerProfile& layer : profile.layers) {
    nodes.push_back({.id = layer.name,
                     .description = "Layer",
                     .forward_us = layer.forward_us,
                     .backward_us = layer.backward_us,
                     .parameter_bytes = layer.parameter_bytes});
  }
  for (std::size_t t = 0; t < ends.size(); ++t) {
    nodes[static_cast<std::size_t>(ends[t].producer)].activation_bytes += profile.tensors[t].bytes;
    for (const int consumer : ends[t].consumers) {
      nodes[static_cast<std::size_t>(consumer)].producers.push_back(ends[t].producer);
    }
  }
  return nodes;
}

// Nodes that are no layers of the profile are inputs, which the first stage takes, or unused outputs.
std::vector<int> stages_of_nodes(const std::vector<ArtifactNode>& nodes,
                                 const std::unordered_map<std::string, int>& stage_of_layer) {
  const auto stage_of = [&](const ArtifactNode& node) {
    const auto found = stage_of_layer.find(node.id);
    return found == stage_of_layer.end() ? -1 : found->second;
  };
  std::vector<int> stages;
  for (const ArtifactNode& node : nodes) {
    int stage = stage_of(node);
    if (stage < 0 && !node.producers.empty()) stage = stage_of(nodes[static_cast<std::size_t>(node.producers[0])]);
    stages.push_back(stage < 0 ? 0 : stage);
  }
  return stages;
}

}  // namespace

std::string artifact_stage_map(const Plan& plan, const Profile& profile) {
  validate(profile);
  validate(plan);
  const std::vector<detail::TensorEnds> ends = detail::tensor_ends(profile);
  const std::vector<int> stages = detail::stages_of_layers(plan, profile, ends);
  return detail::artifact_text(nodes_of(profile, ends), stages);
}

std::string artifact_stage_map(const Plan& plan, std::string_view graph, const std::string& source) {
  const Profile profile = parse_artifact_graph(graph, source);
  validate(plan);
  const std::vector<int> stages = detail::stages_of_layers(plan, profile, detail::tensor_ends(profile));
  std::unordered_map<std::string, int> stage_of_layer;
  for (std::size_t l = 0; l < stages.size(); ++l) stage_of_layer[profile.layers[l].name] = stages[l];
  const std::vector<ArtifactNode> nodes = detail::parse_artifact_nodes(graph, source);
  return detail::artifact_text(nodes, stages_of_nodes(nodes, stage_of_layer));
}

std::string artifact_replicas(const Plan& plan) {
  std::string text;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    text += fmt::format("{}{}:{}", s == 0 ? "" : ",", s, plan.stages[s].replicas());
  }
  return text;
}

}  // namespace pipedream

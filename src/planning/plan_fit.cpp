#include "planning/plan_fit.h"

#include <string>
#include <unordered_map>

#include "planning/config_error.h"

namespace pipedream::detail {
namespace {

std::vector<LayerEdges> layer_edges(const Profile& profile, const std::vector<TensorEnds>& ends) {
  std::vector<LayerEdges> edges;
  for (const LayerProfile& layer : profile.layers) edges.push_back({layer.name, {}});
  for (std::size_t t = 0; t < ends.size(); ++t) {
    for (const int consumer : ends[t].consumers) {
      edges[static_cast<std::size_t>(consumer)].producers.push_back(profile.tensors[t].producer);
    }
  }
  return edges;
}

}  // namespace

std::vector<int> stages_of_layers(const Plan& plan, const Profile& profile, const std::vector<TensorEnds>& ends) {
  if (!plan.graph_hash.empty() && !profile.graph_hash.empty() && plan.graph_hash != profile.graph_hash) {
    throw_config_error("graph_hash: the plan was made for model {}, the profile is of model {}", plan.graph_hash,
                       profile.graph_hash);
  }
  validate_against_layers(plan, layer_edges(profile, ends));
  std::unordered_map<std::string, int> stage_of;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    for (const std::string& layer : plan.stages[s].layers) stage_of[layer] = static_cast<int>(s);
  }
  std::vector<int> result;
  for (const LayerProfile& layer : profile.layers) result.push_back(stage_of.at(layer.name));
  return result;
}

}  // namespace pipedream::detail

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "pipedream/error.h"
#include "pipedream/schedule.h"

namespace pipedream {
namespace {

std::unordered_map<std::string, int> stage_by_layer(const Plan& plan) {
  std::unordered_map<std::string, int> stages;
  for (std::size_t stage = 0; stage < plan.stages.size(); ++stage) {
    for (const std::string& layer : plan.stages[stage].layers) {
      const auto [entry, is_new] = stages.emplace(layer, static_cast<int>(stage));
      if (!is_new) {
        throw ConfigError(
            fmt::format("plan: layer \"{}\" is in stage {} and in stage {}", layer, entry->second, stage));
      }
    }
  }
  return stages;
}

int find_stage(const std::unordered_map<std::string, int>& stages, const std::string& layer,
               const TensorProfile& tensor) {
  const auto entry = stages.find(layer);
  if (entry == stages.end()) {
    throw ConfigError(fmt::format("no stage of the plan has layer \"{}\", which tensor \"{}\" of the profile names",
                                  layer, tensor.name));
  }
  return entry->second;
}

}  // namespace

std::vector<StageLink> stage_links(const Plan& plan, const Profile& profile) {
  const auto stages = stage_by_layer(plan);
  std::map<std::pair<int, int>, bool> needs_gradient;
  for (const TensorProfile& tensor : profile.tensors) {
    const int from = find_stage(stages, tensor.producer, tensor);
    for (const std::string& consumer : tensor.consumers) {
      const int to = find_stage(stages, consumer, tensor);
      if (to < from) {
        throw ConfigError(
            fmt::format("tensor \"{}\" flows backwards, from layer \"{}\" in stage {} to \"{}\" in stage {}",
                        tensor.name, tensor.producer, from, consumer, to));
      }
      if (to > from) {
        needs_gradient[{from, to}] |= tensor.requires_gradient;
      }
    }
  }
  std::vector<StageLink> links;
  for (const auto& [stages_joined, gradient] : needs_gradient) {
    links.push_back({stages_joined.first, stages_joined.second, gradient});
  }
  return links;
}

}  // namespace pipedream

#include "partitioner/planned_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "partitioner/footprints.h"
#include "partitioner/memory_model.h"
#include "partitioner/message_memory.h"
#include "pipedream/error.h"
#include "pipedream/schedule.h"
#include "planning/plan_fit.h"
#include "schedule/share.h"

namespace pipedream::detail {

PlannedModel planned_model(const Plan& plan, const Profile& profile, const Topology& topology) {
  validate(profile);
  validate(plan);
  PlannedModel model;
  model.ends = tensor_ends(profile);
  model.stage_of_layer = stages_of_layers(plan, profile, model.ends);
  if (plan.workers() > topology.workers()) {
    throw ConfigError(fmt::format("the plan uses {} workers, the topology has {}", plan.workers(), topology.workers()));
  }
  model.one_process = topology.one_process;
  return model;
}

std::vector<StageCosts> stage_costs(const Plan& plan, const Profile& profile, const PlannedModel& model,
                                    StateFactors state_factors) {
  const MessageMemory messages{link_traffic(profile, model), model.one_process};
  std::vector<StageCosts> costs;
  StageFootprints footprints(profile, model.ends);
  for (const StageFootprint& footprint : footprints.of_stages(model.stage_of_layer, plan.stages.size())) {
    const int s = static_cast<int>(costs.size());
    costs.push_back(memory_costs(footprint, stage_use(plan, s, state_factors)));
    costs.back().most_message_bytes = message_bytes(plan, s, messages, footprint.parameter_bytes);
  }
  for (std::size_t l = 0; l < profile.layers.size(); ++l) {
    const auto stage = static_cast<std::size_t>(model.stage_of_layer[l]);
    const LayerProfile& layer = profile.layers[l];
    costs[stage].forward_us += layer.forward_us;
    costs[stage].backward_us += layer.backward_us + (plan.stages[stage].recompute ? layer.forward_us : 0);
  }
  return costs;
}

StageUse stage_use(const Plan& plan, int stage, StateFactors state_factors) {
  const StagePlan& planned = stage_plan(plan, stage);
  const UsedStage used{.replicas = planned.replicas(),
                       .reduce_delay = planned.reduce_delay,
                       .microbatches_per_update = microbatches_per_update(plan, stage),
                       .is_late = update_delay(plan, stage) > 0};
  StageUse use = use_of(plan.algorithm, used, state_factors);
  use.recompute = planned.recompute;
  return use;
}

std::vector<LinkCosts> link_traffic(const Profile& profile, const PlannedModel& model) {
  std::map<std::pair<int, int>, LinkCosts> links;
  for (std::size_t t = 0; t < model.ends.size(); ++t) {
    const std::int64_t bytes = profile.tensors[t].bytes;
    const int from = model.stage_of_layer[static_cast<std::size_t>(model.ends[t].producer)];
    std::set<int> users;
    for (const int consumer : model.ends[t].consumers) {
      users.insert(model.stage_of_layer[static_cast<std::size_t>(consumer)]);
    }
    users.erase(from);
    for (const int user : users) {
      LinkCosts& link = links.try_emplace({from, user}, LinkCosts{from, user, 0, 0}).first->second;
      link.forward_bytes += bytes;
      link.backward_bytes += profile.tensors[t].requires_gradient ? bytes : 0;
    }
  }
  std::vector<LinkCosts> result;
  for (const auto& [stages, link] : links) result.push_back(link);
  return result;
}

}  // namespace pipedream::detail

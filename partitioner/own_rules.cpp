#include "partitioner/own_rules.h"

#include <fmt/format.h>

#include "partitioner/closed_forms.h"
#include "partitioner/compat_planner.h"
#include "partitioner/default_plan.h"
#include "partitioner/placement.h"
#include "partitioner/predict.h"
#include "partitioner/states.h"
#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

[[noreturn]] void fail(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  const bool uses_all = options.use_all_workers || options.cost_model == CostModel::pipedream_compat;
  throw ConfigError(fmt::format("cost_model: {} has no {}plan{} {} workers of {} layers{}",
                                to_string(options.cost_model), options.straight ? "straight " : "",
                                uses_all ? " that uses all" : " on at most", topology.workers(), profile.layers.size(),
                                topology.memory_bytes_per_worker > 0 ? " within memory_bytes_per_worker" : ""));
}

Plan compat_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  const CompatGraph graph = compat_graph(profile);
  const Topology levels = topology.levels.empty() ? levels_with_choice(topology) : topology;
  const CompatPlanner planner(graph, levels, options.straight);
  const auto found = planner.fastest();
  if (!found) fail(profile, topology, options);
  Plan plan =
      default_plan(profile, graph.states, {options.algorithm, options.microbatches_per_update}, placed(*found, levels));
  plan.search = {std::string(to_string(options.cost_model)), planner.bottleneck_us(*found), graph.states.count(), ""};
  return plan;
}

Plan closed_form_plan(const Profile& profile, const Topology& topology, const PartitionOptions& options,
                      const PlanningStates& states) {
  auto found = closed_form_plans(profile, states, topology, options, 1);
  if (found.empty()) fail(profile, topology, options);
  Plan plan = std::move(found.front().plan);
  plan.search = {std::string(to_string(options.cost_model)), found.front().microbatch_us, states.count(),
                 states.contraction()};
  return plan;
}

}  // namespace

Plan plan_by_own_rules(const Profile& profile, const Topology& topology, const PartitionOptions& options) {
  const PlanningStates states = all_states(profile);
  Plan plan = options.cost_model == CostModel::pipedream_compat ? compat_plan(profile, topology, options)
                                                                : closed_form_plan(profile, topology, options, states);
  predict(plan, profile, topology, options.state_factors, states);
  return plan;
}

}  // namespace pipedream::detail

// Where the plan of a run comes from: a file, or a profile and the planner.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "app/agree.h"
#include "app/session.h"
#include "pipedream/depths.h"
#include "pipedream/error.h"
#include "pipedream/partition.h"
#include "pipedream/profiler.h"

namespace pipedream::detail {
namespace {

Profile read_checked_profile(const Options& options, const LayerGraph& graph, std::int64_t rows) {
  Profile profile = read_profile(options.profile);
  const std::string file = options.profile.string();
  if (profile.graph_hash != graph.hash()) {
    throw ConfigError(
        fmt::format("--profile {}: it was measured on another model: its graph_hash is {}, this model's {}", file,
                    profile.graph_hash, graph.hash()));
  }
  if (profile.microbatch_size != std::min(rows, options.microbatch_size)) {
    throw ConfigError(fmt::format("--profile {}: it was measured with microbatches of {}, this run has --microbatch {}",
                                  file, profile.microbatch_size, options.microbatch_size));
  }
  return profile;
}

// Collective. Measured, unless there is a file of it.
Profile obtain_profile(Session& session, const LayerGraph& graph, const Dataset& data) {
  const Options& options = session.options;
  if (!options.profile.empty()) {
    return agreed(session.comm, [&] { return read_checked_profile(options, graph, data.size()); });
  }
  return measure(session, graph, data);
}

// Collective. A profile that fewer or more workers measured says nothing about the links of these.
Topology obtain_topology(Session& session, const Profile& profile) {
  const bool is_known = profile.topology.workers() == session.comm.size();
  Topology topology = is_known ? profile.topology : measure_topology(session.comm, session.options.device);
  if (topology.memory_bytes_per_worker == 0) {
    topology.memory_bytes_per_worker = profile.topology.memory_bytes_per_worker;
  }
  topology.one_process = !session.launched;
  return topology;
}

Plan make_plan(const Session& session, const Profile& profile, const Topology& topology) {
  const Options& options = session.options;
  const Algorithm algorithm = options.algorithm.value_or(Algorithm::pipedream);
  return partition(profile, topology,
                   {.algorithm = algorithm,
                    .cost_model = options.cost_model,
                    .straight = options.straight,
                    .use_all_workers = true,
                    .microbatches_per_update = options.microbatches_per_update,
                    .stages_per_worker = options.stages_per_worker,
                    .state_factors = state_factors_of(options, algorithm)});
}

void choose_recomputation(Plan& plan, const Options& options) {
  for (StagePlan& stage : plan.stages) stage.recompute = options.recompute->all;
  for (const int s : options.recompute->stages) {
    if (s >= static_cast<int>(plan.stages.size())) {
      throw ConfigError(
          fmt::format("--recompute: there is no stage {}; the plan has stages 0 to {}", s, plan.stages.size() - 1));
    }
    plan.stages[static_cast<std::size_t>(s)].recompute = true;
  }
}

// What the command line says of the stages, whoever cut them. What was predicted without it no longer holds.
void apply_stage_options(Plan& plan, const Options& options) {
  if (!options.changes_stages()) return;
  set_depths(plan, options.depths);
  if (options.recompute) choose_recomputation(plan, options);
  clear_predictions(plan);
  validate(plan);
}

}  // namespace

StateFactors state_factors_of(const Options& options, Algorithm algorithm) {
  StateFactors factors = state_factor(options.optimizer);
  for (const DelayCorrectionSpec& spec : corrections_of(options.correction_specs(), algorithm))
    factors.corrections += spec.state_factor;
  return factors;
}

Profile measure(Session& session, const LayerGraph& graph, const Dataset& data) {
  const Options& options = session.options;
  session.console.print("measuring {} layers on {} worker(s)\n", graph.layer_names().size(), session.comm.size());
  return profile(graph, data, session.comm,
                 {.microbatch_size = options.microbatch_size,
                  .repetitions = options.repetitions,
                  .threads_per_worker = options.threads_per_worker,
                  .seed = options.seed,
                  .device = options.device});
}

Plan read_checked_plan(const Session& session, const LayerGraph& graph) {
  const Options& options = session.options;
  const std::string file = options.plan.string();
  Plan plan = read_plan(options.plan);
  if (!plan.graph_hash.empty() && plan.graph_hash != graph.hash()) {
    throw ConfigError(fmt::format("--plan {}: it was made for another model: its graph_hash is {}, this model's {}",
                                  file, plan.graph_hash, graph.hash()));
  }
  if (plan.workers() != session.comm.size()) {
    throw ConfigError(
        fmt::format("--plan {}: it needs {} worker(s), but there are {}: start it with --workers {} or under "
                    "mpirun -n {}",
                    file, plan.workers(), session.comm.size(), plan.workers(), plan.workers()));
  }
  if (options.microbatches_per_update > 0) plan.microbatches_per_update = options.microbatches_per_update;
  try {
    if (options.algorithm) plan = with_algorithm(plan, *options.algorithm);
    apply_stage_options(plan, options);
    validate(plan);
    validate_against_layers(plan, graph.layer_edges());
  } catch (const ConfigError& error) {
    const std::string under =
        options.algorithm ? fmt::format(" --algorithm {}", to_string(*options.algorithm)) : std::string();
    throw ConfigError(fmt::format("--plan {}{}: {}", file, under, error.what()));
  }
  return plan;
}

ObtainedPlan obtain_plan(Session& session, const LayerGraph& graph, const Dataset& data) {
  const Options& options = session.options;
  std::optional<Plan> plan;
  if (!options.plan.empty()) {
    plan = agreed(session.comm, [&] { return read_checked_plan(session, graph); });
    if (options.profile.empty()) return {.plan = *plan};
  }
  const Profile profile = obtain_profile(session, graph, data);
  const Topology topology = obtain_topology(session, profile);
  return agreed(session.comm, [&]() -> ObtainedPlan {
    const bool is_given = plan.has_value();
    if (!is_given) {
      plan = make_plan(session, profile, topology);
      apply_stage_options(*plan, options);
    }
    const StateFactors factors = state_factors_of(options, plan->algorithm);
    if (is_given || options.changes_stages()) predict(*plan, profile, topology, factors);
    if (options.simulates_depths) choose_depths(*plan, profile, topology, {.state_factors = factors});
    return {*plan, profile, topology};
  });
}

}  // namespace pipedream::detail

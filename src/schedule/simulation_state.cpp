#include "schedule/simulation_state.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "pipedream/error.h"
#include "schedule/share.h"

namespace pipedream::detail {
namespace {

void require_time(double value, std::size_t stage, const char* field) {
  if (!std::isfinite(value) || value < 0) {
    throw ConfigError(
        fmt::format("costs of stage {}: {} must be finite and not negative, found {}", stage, field, value));
  }
}

void require_bytes(std::int64_t value, const std::string& where, const char* field) {
  if (value < 0) throw ConfigError(fmt::format("costs of {}: {} must not be negative, found {}", where, field, value));
}

void check_stages(const Plan& plan, const SimulationCosts& costs) {
  if (costs.stages.size() != plan.stages.size()) {
    throw ConfigError(fmt::format("costs of {} stages for a plan of {}", costs.stages.size(), plan.stages.size()));
  }
  for (std::size_t s = 0; s < costs.stages.size(); ++s) {
    const StageCosts& stage = costs.stages[s];
    const std::string where = fmt::format("stage {}", s);
    require_time(stage.forward_us, s, "forward_us");
    require_time(stage.backward_us, s, "backward_us");
    require_time(stage.update_us, s, "update_us");
    require_bytes(stage.version_bytes, where, "version_bytes");
    require_bytes(stage.in_flight_bytes, where, "in_flight_bytes");
    require_bytes(stage.resident_bytes, where, "resident_bytes");
    require_bytes(stage.message_bytes, where, "message_bytes");
    require_bytes(stage.transient_bytes, where, "transient_bytes");
  }
}

void check_links(const Plan& plan, const SimulationCosts& costs) {
  const int stages = static_cast<int>(plan.stages.size());
  for (const LinkCosts& link : costs.links) {
    const std::string where = fmt::format("the link from stage {} to stage {}", link.from, link.to);
    if (link.from < 0 || link.to <= link.from || link.to >= stages) {
      throw ConfigError(
          fmt::format("costs of {}: the plan has {} stages, and links lead to later ones", where, stages));
    }
    require_bytes(link.forward_bytes, where, "forward_bytes");
    require_bytes(link.backward_bytes, where, "backward_bytes");
  }
}

void check(const Program& program, const Plan& plan, const SimulationCosts& costs) {
  check_stages(plan, costs);
  check_links(plan, costs);
  if (!std::isfinite(costs.post_us) || costs.post_us < 0) {
    throw ConfigError(fmt::format("costs: post_us must be finite and not negative, found {}", costs.post_us));
  }
  for (const StagePlan& stage : plan.stages) {
    for (const int worker : stage.workers) {
      if (worker < 0 || static_cast<std::size_t>(worker) >= program.workers.size()) {
        throw ConfigError(
            fmt::format("a program of {} workers for a plan that has worker {}", program.workers.size(), worker));
      }
    }
  }
}

}  // namespace

SimulationState::SimulationState(const Program& program, const Plan& plan, const SimulationCosts& costs)
    : tree(costs.topology, static_cast<int>(program.workers.size()), flows) {
  check(program, plan, costs);
  ports.resize(plan.stages.size());
  for (const LinkCosts& link : costs.links) {
    add_port(plan, link.from, link.to, link.forward_bytes);
    add_port(plan, link.to, link.from, link.backward_bytes);
  }
  for (const WorkerProgram& worker : program.workers) workers.emplace_back(worker);
  for (std::size_t s = 0; s < plan.stages.size(); ++s) add_group(plan.stages[s], costs.stages[s]);
}

void SimulationState::add_port(const Plan& plan, int sender_stage, int receiver_stage, std::int64_t bytes) {
  SimulatedPort port{receiver_stage, static_cast<int>(channels.size()),
                     std::lcm(std::int64_t{stage_plan(plan, sender_stage).replicas()},
                              std::int64_t{stage_plan(plan, receiver_stage).replicas()})};
  for (std::int64_t k = 0; k < port.cycle; ++k) {
    SimulatedChannel channel;
    channel.sender = worker_of(plan, sender_stage, k);
    channel.receiver = worker_of(plan, receiver_stage, k);
    channel.bytes = static_cast<double>(bytes);
    const Route route = tree.message(channel.sender, channel.receiver);
    channel.latency = route.latency_us;
    flows.add_flow(route.links, route.most_bytes_per_us);
    channels.push_back(std::move(channel));
  }
  ports[static_cast<std::size_t>(sender_stage)].push_back(port);
}

void SimulationState::add_group(const StagePlan& stage, const StageCosts& costs) {
  SimulatedGroup group;
  group.members = stage.workers;
  const double members = stage.replicas();
  const Route route = tree.reduction(group.members);
  group.bytes = 2 * (members - 1) / members * static_cast<double>(costs.version_bytes);
  group.latency = route.latency_us;
  group.flow = flows.add_flow(route.links, route.most_bytes_per_us);
  groups.push_back(std::move(group));
  for (const int member : stage.workers) {
    SimulatedRun& worker = workers[static_cast<std::size_t>(member)];
    worker.figures.peak_versions = ++worker.versions;
    worker.held_bytes += costs.version_bytes + costs.resident_bytes + costs.message_bytes;
    worker.figures.peak_bytes = worker.held_bytes;
  }
}

}  // namespace pipedream::detail

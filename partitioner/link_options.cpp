#include "partitioner/link_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "partitioner/units.h"
#include "pipedream/error.h"

namespace pipedream {

void LinkOptions::add_to(CLI::App& command) {
  command.add_option("--bandwidth", bandwidth_,
                     "Of each link, one direction, as in 10GB/s or 1Gbit/s (default: as "
                     "measured in the profile)");
  command.add_option("--latency", latency_,
                     "Of each message, as in 20us (default: as measured in the profile; 0 with "
                     "--bandwidth)");
}

Topology LinkOptions::topology(const Profile& profile, int workers) const {
  if (bandwidth_.find(',') != std::string::npos) {
    throw ConfigError(fmt::format("--bandwidth {}: only one level of workers can be planned for", bandwidth_));
  }
  Topology topology;
  const bool measured = profile.topology.levels.size() == 1;
  if (!bandwidth_.empty()) {
    topology = uniform_topology(workers, detail::parse_bytes_per_second(bandwidth_));
  } else if (measured && profile.topology.levels[0].bandwidth_bytes_per_s > 0) {
    topology.levels = profile.topology.levels;
    topology.levels[0].count = workers;
  } else if (workers > 1) {
    throw ConfigError(profile.topology.levels.size() > 1
                          ? "the profile's links have several levels: give one with --bandwidth"
                          : "the profile has no measured links (it was made by one worker): give --bandwidth");
  } else {
    topology.levels.push_back({"worker", 1, 0, 0, 0});
  }
  if (!latency_.empty()) topology.levels[0].latency_us = detail::parse_microseconds(latency_);
  topology.memory_bytes_per_worker = profile.topology.memory_bytes_per_worker;
  return topology;
}

std::string LinkOptions::describe(const Topology& topology) const {
  const TopologyLevel& level = topology.levels.front();
  return fmt::format("{}, latency {} ({})", detail::format_bytes_per_second(level.bandwidth_bytes_per_s),
                     detail::format_microseconds(level.latency_us), bandwidth_.empty() ? "measured" : "given");
}

void OptimizerOption::add_to(CLI::App& command) {
  command.add_option("--optimizer", name_, "Whose state counts in the memory: sgd, momentum, adam, adamw")
      ->check(CLI::IsMember({"sgd", "momentum", "adam", "adamw"}))
      ->capture_default_str();
}

double OptimizerOption::state_factor() const { return name_ == "sgd" ? 0 : name_ == "momentum" ? 1 : 2; }

SimulationCosts costs_of_files(const PlanFile& plan, const ProfileFile& profile, const Topology& topology,
                               double optimizer_state_factor) {
  try {
    return simulation_costs(plan.plan, profile.profile, topology, optimizer_state_factor);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{} does not fit {}: {}", plan.path, profile.path, error.what()));
  }
}

}  // namespace pipedream

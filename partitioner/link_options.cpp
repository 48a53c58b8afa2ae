#include "partitioner/link_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>

#include "partitioner/command_help.h"
#include "partitioner/plan_table.h"
#include "partitioner/units.h"
#include "pipedream/error.h"

namespace pipedream {

namespace {

// What is between commas.
std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

void check_one_each(const char* option, const std::string& text, std::size_t levels) {
  const std::size_t found = listed(text).size();
  if (found == levels) return;
  throw ConfigError(fmt::format("{} {}: {} for {}; one for each is needed, innermost first", option, text,
                                count_of(static_cast<std::int64_t>(found), "value"),
                                count_of(static_cast<std::int64_t>(levels), "level")));
}

Topology topology_of(const std::vector<int>& counts, const std::string& bandwidth) {
  check_one_each("--bandwidth", bandwidth, counts.size());
  const std::vector<std::string> parts = listed(bandwidth);
  Topology topology;
  for (std::size_t l = 0; l < counts.size(); ++l) {
    static constexpr const char* kNames[] = {"worker", "server", "rack"};
    const std::string name = l < std::size(kNames) ? kNames[l] : fmt::format("level {}", l);
    topology.levels.push_back({name, counts[l], detail::parse_bytes_per_second(parts[l]), 0, 0});
  }
  return topology;
}

}  // namespace

void LinkOptions::add_to(CLI::App& command) {
  command
      .add_option("--bandwidth", bandwidth_,
                  "Of each link, one direction, as in 10GB/s or 1Gbit/s; of several levels one each, innermost first, "
                  "as in 10GB/s,1.25GB/s (default: as measured in the profile)")
      ->type_name("RATE");
  command
      .add_option("--latency", latency_,
                  "Of each message, as in 20us (default: as measured in the profile; 0 with --bandwidth)")
      ->type_name("TIME");
}

Topology LinkOptions::topology(const Profile& profile, const std::vector<int>& counts) const {
  Topology topology;
  const bool measured = profile.topology.levels.size() == 1;
  if (!bandwidth_.empty()) {
    topology = topology_of(counts, bandwidth_);
  } else if (counts.size() > 1) {
    throw ConfigError(fmt::format("{} levels of workers: give the bandwidth of each, innermost first, with --bandwidth",
                                  counts.size()));
  } else if (measured && profile.topology.levels[0].bandwidth_bytes_per_s > 0) {
    topology.levels = profile.topology.levels;
    topology.levels[0].count = counts[0];
  } else if (counts[0] > 1) {
    throw ConfigError(profile.topology.levels.size() > 1
                          ? "the profile's links have several levels: give one with --bandwidth"
                          : "the profile has no measured links (it was made by one worker): give --bandwidth");
  } else {
    topology.levels.push_back({"worker", 1, 0, 0, 0});
  }
  if (!latency_.empty()) {
    check_one_each("--latency", latency_, counts.size());
    const std::vector<std::string> parts = listed(latency_);
    for (std::size_t l = 0; l < parts.size(); ++l) {
      topology.levels[l].latency_us = detail::parse_microseconds(parts[l]);
    }
  }
  topology.memory_bytes_per_worker = profile.topology.memory_bytes_per_worker;
  return topology;
}

std::string LinkOptions::describe(const Topology& topology, const std::string& file) const {
  std::string text;
  for (const TopologyLevel& level : topology.levels) {
    text += fmt::format("{}{}, latency {}", text.empty() ? "" : "; ",
                        detail::format_bytes_per_second(level.bandwidth_bytes_per_s),
                        detail::format_microseconds(level.latency_us));
  }
  return fmt::format("{} ({})", text, !file.empty() ? file : bandwidth_.empty() ? "measured" : "given");
}

void OptimizerOption::add_to(CLI::App& command) {
  command.add_option("--optimizer", name_, "Whose state counts in the memory: sgd, momentum, adam, adamw")
      ->check(CLI::IsMember({"sgd", "momentum", "adam", "adamw"}))
      ->capture_default_str();
}

double OptimizerOption::state_factor() const { return name_ == "sgd" ? 0 : name_ == "momentum" ? 1 : 2; }

SimulationCosts costs_of_files(const PlanFile& plan, const ProfileFile& profile, const Topology& topology,
                               StateFactors state_factors) {
  try {
    return simulation_costs(plan.plan, profile.profile, topology, state_factors);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{} does not fit {}: {}", plan.path, profile.path, error.what()));
  }
}

}  // namespace pipedream

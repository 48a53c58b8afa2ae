// What commands share that put a plan on workers and links: the options for them, and the costs that follow.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "pipedream/profile.h"
#include "pipedream/simulate.h"
#include "pipedream/state_factors.h"
#include "pipedream/topology.h"

namespace pipedream {

class LinkOptions {
 public:
  void add_to(CLI::App& command);

  // Levels with so many components each, innermost first, with the links of the options; one level without them as the
  // profile measured it. Throws ConfigError where neither says, or not for every level.
  Topology topology(const Profile& profile, const std::vector<int>& counts) const;
  // "1.25 GB/s, latency 10 us (measured)". `file`: where the topology is from, if not from here.
  std::string describe(const Topology& topology, const std::string& file = {}) const;

 private:
  std::string bandwidth_;
  std::string latency_;
};

// --optimizer: bytes of state per byte of parameters.
class OptimizerOption {
 public:
  void add_to(CLI::App& command);
  double state_factor() const;

 private:
  std::string name_ = "momentum";
};

// simulation_costs of what was read from two files, which an error names.
struct PlanFile {
  const Plan& plan;
  const std::string& path;
};
struct ProfileFile {
  const Profile& profile;
  const std::string& path;
};
SimulationCosts costs_of_files(const PlanFile& plan, const ProfileFile& profile, const Topology& topology,
                               StateFactors state_factors);

}  // namespace pipedream

// The options of commands that plan: on how many workers, over which links, with how much memory.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "partitioner/link_options.h"

namespace pipedream {

class TopologyOptions {
 public:
  // --workers, --bandwidth, --latency, --topology, --memory.
  void add_to(CLI::App& command);

  // Throws ConfigError where neither options nor profile say what the links are.
  Topology topology(const Profile& profile) const;
  // As LinkOptions::describe.
  std::string describe(const Topology& topology) const { return links_.describe(topology, topology_); }

 private:
  LinkOptions links_;
  std::string workers_;
  std::string topology_;
  std::string memory_;
};

}  // namespace pipedream

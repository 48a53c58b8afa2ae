// The links of a topology, and which of them messages and reductions use.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pipedream/topology.h"
#include "schedule/flows.h"

namespace pipedream::detail {

// What a flow uses.
struct Route {
  std::vector<int> links;
  double most_bytes_per_us = std::numeric_limits<double>::infinity();
  double latency_us = 0;
};

// Every component of a level has an outgoing and an incoming link to the others that the next level joins. Without
// levels there are no links and routes are empty.
class LinkTree {
 public:
  // Adds the links to the flows, which has none yet. The topology must outlive this. Throws ConfigError for an invalid
  // topology or one of fewer workers.
  LinkTree(const Topology& topology, int workers, Flows& flows);

  Route message(int sender, int receiver) const;
  // A ring over the members: each passes on what it gets.
  Route reduction(std::span<const int> members) const;

  int links() const { return levels_.empty() ? 0 : levels_.back().end_link; }
  // "outgoing link of worker 3", "incoming link of server 1": levels are named by what they join.
  std::string name(int link) const;

 private:
  struct Level {
    const TopologyLevel* measured;
    int workers;  // of each component that has a link here
    int first_link, end_link;
  };
  // How many levels a message between the two goes up.
  std::size_t height(int a, int b) const;
  int link_of(const Level& level, int worker, bool is_incoming) const;

  std::vector<Level> levels_;
};

}  // namespace pipedream::detail

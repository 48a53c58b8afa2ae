// The devices that a stage takes, by the three policies of DAPPLE's planner (Fan et al., PPoPP'21, section 4).
//
// Servers are the components of the innermost level.
//   fresh first: of servers that have none in use, which keeps a stage inside a server;
//   append first: of servers that have some in use, which leaves few of them half empty;
//   scatter first: of those in use in turn, of all where none is, which spreads a stage evenly.
// Where these servers have too few left, the policy goes on with the others in the same way, which is our reading: the
// planner that the authors released has no such choice then. Servers come in order, so that the devices in use are
// given by how many each server has, its first ones.
#pragma once

#include <vector>

#include "pipedream/topology.h"

namespace pipedream::detail {

using DevicesInUse = std::vector<int>;  // by server

class DevicePolicies {
 public:
  DevicePolicies(const Topology& topology, bool only_append_first);

  DevicesInUse none() const { return DevicesInUse(servers_, 0); }
  // What is in use when `need` more are, of which there are as many: by append first, fresh first and scatter first,
  // each outcome once.
  std::vector<DevicesInUse> choices(const DevicesInUse& before, int need) const;
  // Those taken, ascending.
  std::vector<int> taken(const DevicesInUse& before, const DevicesInUse& after) const;

 private:
  DevicesInUse filled(const DevicesInUse& before, int need, bool fresh_first) const;
  DevicesInUse scattered(const DevicesInUse& before, int need) const;

  const bool only_append_first_;
  const int each_;  // devices of a server
  const std::size_t servers_;
};

}  // namespace pipedream::detail

#include "partitioner/dapple_devices.h"

#include <algorithm>
#include <array>

#include "partitioner/index.h"

namespace pipedream::detail {

DevicePolicies::DevicePolicies(const Topology& topology, bool only_append_first)
    : only_append_first_(only_append_first),
      each_(topology.levels.front().count),
      servers_(at(topology.workers() / each_)) {}

std::vector<DevicesInUse> DevicePolicies::choices(const DevicesInUse& before, int need) const {
  std::vector<DevicesInUse> found{filled(before, need, false)};
  if (only_append_first_ || servers_ == 1) return found;
  std::array others{filled(before, need, true), scattered(before, need)};
  for (DevicesInUse& other : others) {
    if (std::find(found.begin(), found.end(), other) == found.end()) found.push_back(std::move(other));
  }
  return found;
}

DevicesInUse DevicePolicies::filled(const DevicesInUse& before, int need, bool fresh_first) const {
  DevicesInUse after = before;
  for (const bool fresh : {fresh_first, !fresh_first}) {
    for (std::size_t s = 0; s < servers_; ++s) {
      if ((before[s] == 0) != fresh) continue;
      const int more = std::min(need, each_ - before[s]);
      after[s] += more;
      need -= more;
    }
  }
  return after;
}

DevicesInUse DevicePolicies::scattered(const DevicesInUse& before, int need) const {
  DevicesInUse after = before;
  for (const bool fresh : {false, true}) {
    for (bool has_more = true; has_more && need > 0;) {
      has_more = false;
      for (std::size_t s = 0; s < servers_ && need > 0; ++s) {
        if ((before[s] == 0) != fresh || after[s] == each_) continue;
        ++after[s];
        --need;
        has_more = true;
      }
    }
  }
  return after;
}

std::vector<int> DevicePolicies::taken(const DevicesInUse& before, const DevicesInUse& after) const {
  std::vector<int> workers;
  for (std::size_t s = 0; s < servers_; ++s) {
    for (int d = before[s]; d < after[s]; ++d) workers.push_back(static_cast<int>(s) * each_ + d);
  }
  return workers;
}

}  // namespace pipedream::detail

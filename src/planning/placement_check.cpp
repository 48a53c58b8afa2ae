#include "planning/placement_check.h"

#include <fmt/format.h>

#include <map>

namespace pipedream::detail {

PlacementCheck check_placement(const PlanPlacement& placement, std::span<const std::string> machines) {
  PlacementCheck check{.is_as_placed = true};
  std::map<int, std::size_t> first_of_server;
  std::map<std::string, int> server_of_machine;
  for (std::size_t worker = 0; worker < machines.size(); ++worker) {
    const int server = placement.servers[worker];
    const std::size_t first = first_of_server.emplace(server, worker).first->second;
    if (machines[first] != machines[worker]) {
      check.is_as_placed = false;
      if (check.apart.empty()) {
        check.apart = fmt::format("workers {} and {} are on server {} of the plan, but run on {} and {}", first, worker,
                                  server, machines[first], machines[worker]);
      }
    }
    if (server_of_machine.emplace(machines[worker], server).first->second != server) check.is_as_placed = false;
  }
  return check;
}

}  // namespace pipedream::detail

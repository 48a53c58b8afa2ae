#include "partitioner/transit.h"

#include <algorithm>

#include "schedule/link_tree.h"

namespace pipedream::detail {
namespace {

// Both ways, between the workers of the two stages that are furthest apart.
double transfers_us(const LinkTree& tree, Flows& flows, const Plan& plan, const LinkCosts& link) {
  const std::vector<int>& senders = plan.stages[static_cast<std::size_t>(link.from)].workers;
  const std::vector<int>& receivers = plan.stages[static_cast<std::size_t>(link.to)].workers;
  double slowest = 0;
  for (std::size_t i = 0; i < std::max(senders.size(), receivers.size()); ++i) {
    const Route route = tree.message(senders[i % senders.size()], receivers[i % receivers.size()]);
    const int flow = flows.add_flow(route.links, route.most_bytes_per_us);
    double us = flows.alone_us(flow, static_cast<double>(link.forward_bytes)) + route.latency_us;
    if (link.backward_bytes > 0) {
      us += flows.alone_us(flow, static_cast<double>(link.backward_bytes)) + route.latency_us;
    }
    slowest = std::max(slowest, us);
  }
  return slowest;
}

}  // namespace

std::vector<double> transit_us(const Plan& plan, const SimulationCosts& costs) {
  Flows flows;
  const LinkTree tree(costs.topology, plan.workers(), flows);
  const std::size_t last = plan.stages.size() - 1;
  std::vector<double> round_trips(plan.stages.size(), 0);
  std::vector<double> result(last, 0);
  for (std::size_t s = last + 1; s-- > 0;) {
    const double behind = s < last ? round_trips[s + 1] : 0;
    double longest = behind;
    for (const LinkCosts& link : costs.links) {
      if (link.from != static_cast<int>(s)) continue;
      longest =
          std::max(longest, transfers_us(tree, flows, plan, link) + round_trips[static_cast<std::size_t>(link.to)]);
    }
    if (s < last) result[s] = longest - behind;
    round_trips[s] = costs.stages[s].forward_us + costs.stages[s].backward_us + longest;
  }
  return result;
}

}  // namespace pipedream::detail

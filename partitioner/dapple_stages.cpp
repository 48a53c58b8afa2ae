#include "partitioner/dapple_stages.h"

#include <algorithm>

namespace pipedream::detail {

std::vector<DappleChoice> DappleStages::choices(const DevicesInUse& in_use, const std::vector<int>& before,
                                                int replicas) const {
  std::vector<DappleChoice> found;
  for (DevicesInUse& after : policies_.choices(in_use, replicas)) {
    found.push_back(choice(in_use, before, std::move(after)));
  }
  return found;
}

DappleChoice DappleStages::choice(const DevicesInUse& in_use, const std::vector<int>& before,
                                  DevicesInUse after) const {
  DappleChoice result;
  const std::vector<int> workers = policies_.taken(in_use, after);
  result.after = std::move(after);
  result.workers = taking_turns(workers, topology_);
  result.within = costs_.levels_within(workers);
  if (!before.empty()) result.from_before = costs_.levels_between(before, result.workers);
  return result;
}

DappleBegun DappleStages::longer(const DappleBegun& begun, int first, int end, const DappleChoice& choice) const {
  DappleBegun result = begun;
  add_costs(last_replicas(begun.stages), choice.from_before, first, end, choice, result.costs);
  result.stages.push_back({first, end, choice.workers});
  result.in_use = choice.after;
  result.used += choice.replicas();
  return result;
}

void DappleStages::add_costs(int replicas_before, DappleCosts::Levels crossed, int first, int end,
                             const DappleChoice& choice, std::vector<DappleStage>& costs) const {
  if (replicas_before > 0) {
    costs.push_back(costs_.transfer(first, std::min(replicas_before, choice.replicas()), crossed));
  }
  costs.push_back(costs_.compute(first, end, choice.replicas(), choice.within));
}

}  // namespace pipedream::detail

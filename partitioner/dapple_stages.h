// The stages of a plan of DAPPLE's planner, from the first one on, with what they cost on their devices.
#pragma once

#include <vector>

#include "partitioner/dapple_costs.h"
#include "partitioner/dapple_devices.h"
#include "partitioner/dapple_latency.h"
#include "partitioner/placement.h"

namespace pipedream::detail {

struct DappleBegun {
  std::vector<PlacedStage> stages;
  std::vector<DappleStage> costs;  // of them and of the cuts between them
  DevicesInUse in_use;
  int used = 0;
};

// Devices for one more stage.
struct DappleChoice {
  DevicesInUse after;
  std::vector<int> workers;  // in the order of replicas
  DappleCosts::Levels within = 0;
  DappleCosts::Levels from_before = 0;

  int replicas() const { return static_cast<int>(workers.size()); }
};

class DappleStages {
 public:
  DappleStages(const Profile& profile, const PlanningStates& states, const Topology& topology, bool only_append_first)
      : topology_(topology), policies_(topology, only_append_first), costs_(profile, states, topology) {}

  DappleBegun none() const { return {{}, {}, policies_.none(), 0}; }
  // What each policy gives the next stage. before: the workers of the last one; empty: there is none.
  std::vector<DappleChoice> choices(const DevicesInUse& in_use, const std::vector<int>& before, int replicas) const;
  // That microbatches cross from these replicas.
  DappleCosts::Levels levels_to(const DappleChoice& choice, const std::vector<int>& before) const {
    return costs_.levels_between(before, choice.workers);
  }
  // Devices that become in use.
  DappleChoice choice(const DevicesInUse& in_use, const std::vector<int>& before, DevicesInUse after) const;
  DappleBegun longer(const DappleBegun& begun, int first, int end, const DappleChoice& choice) const;
  // Of the next stage, and of the cut before it, where there is one, from so many replicas over links of these levels.
  void add_costs(int replicas_before, DappleCosts::Levels crossed, int first, int end, const DappleChoice& choice,
                 std::vector<DappleStage>& costs) const;

 private:
  const Topology& topology_;
  const DevicePolicies policies_;
  const DappleCosts costs_;
};

inline const std::vector<int>& last_workers(const DappleBegun& begun) {
  static const std::vector<int> kNone;
  return begun.stages.empty() ? kNone : begun.stages.back().workers;
}

// 0: there is none.
inline int last_replicas(const std::vector<PlacedStage>& stages) {
  return stages.empty() ? 0 : static_cast<int>(stages.back().workers.size());
}

}  // namespace pipedream::detail

// What stages and the cuts between them take on the workers that they have, as DAPPLE's latency has it.
//
// Our reading, where the paper leaves it to the profile: a stage of r replicas takes F / r and B / r of a microbatch. A
// microbatch k goes from replica k mod r of a stage to replica k mod r' of the next one; the slowest link that any of
// them crosses counts, in each direction, and min(r, r') of them are under way at once. A reduction goes once around
// all replicas, in the time of the slowest link that it crosses. A link is that of the level at which two workers meet.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "partitioner/dapple_latency.h"
#include "partitioner/level_links.h"
#include "partitioner/states.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

class DappleCosts {
 public:
  DappleCosts(const Profile& profile, const PlanningStates& states, const Topology& topology);

  // Bit l: links of level l. A topology has at most 31 levels of more than one component.
  using Levels = std::uint64_t;
  // At which some of the workers meet, which ascend.
  Levels levels_within(const std::vector<int>& workers) const;
  // That microbatches cross from the replicas of one stage to those of the next.
  Levels levels_between(const std::vector<int>& from, const std::vector<int>& to) const;

  DappleStage compute(int first, int end, int replicas, Levels crossed) const;
  // lanes: the fewer replicas of both stages.
  DappleStage transfer(int cut, int lanes, Levels crossed) const;

 private:
  using Sided = std::pair<int, bool>;  // a worker; whether it is of the later stage
  Levels levels_across(std::vector<Sided>& workers) const;

  const PlanningStates& states_;
  std::vector<double> forward_us_;                   // by state
  std::vector<LevelLinks> links_;                    // by level
  std::vector<int> sizes_;                           // workers that a component of the level joins
  std::vector<std::vector<DappleStage>> transfers_;  // by level and state, of one lane
};

}  // namespace pipedream::detail

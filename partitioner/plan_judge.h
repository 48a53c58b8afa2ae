// What a plan would take by simulation, for a search that compares many.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipedream/plan.h"
#include "pipedream/profile.h"
#include "pipedream/schedule.h"
#include "pipedream/state_factors.h"
#include "pipedream/topology.h"

namespace pipedream::detail {

struct JudgedPlan {
  Plan plan;
  double microbatch_us = 0;
  double bound_us = 0;     // the same stages are not faster with other depths
  std::string limited_by;  // as in SimulationReport
};

class PlanJudge {
 public:
  // Profile and topology must outlive this. Simulates about so many actions, and what must be.
  PlanJudge(const Profile& profile, const Topology& topology, StateFactors state_factors, std::int64_t most_actions);

  // The plan with depths that its algorithm and the memory allow; where memory allows less than it has and the
  // algorithm may recompute, also with the stages recomputing that need too much. None: nothing is allowed.
  std::vector<Plan> within_memory(const Plan& plan);

  // Default depths, and in flight at each hop what is in transit when a microbatch takes pace_us, and one more.
  Plan with_slack(const Plan& plan, double pace_us);

  JudgedPlan simulated(const Plan& plan);

  // With the depths of choose_depths(). Empty where that would take too long.
  std::optional<JudgedPlan> deepened(const JudgedPlan& judged);

  bool has_time() const { return actions_ < most_actions_; }
  bool has_time_for(const Plan& plan) const { return actions_ + actions_of(plan) <= most_actions_; }

 private:
  void count_walk(const Plan& plan);
  Segment segment_of(const Plan& plan) const;
  std::int64_t actions_of(const Plan& plan) const;

  const Profile& profile_;
  const Topology& topology_;
  StateFactors state_factors_;
  std::int64_t most_actions_;
  std::int64_t actions_ = 0;  // and what takes as long
};

// One plan, however many actions it has.
JudgedPlan simulated(const Plan& plan, const Profile& profile, const Topology& topology, StateFactors state_factors);

// Per microbatch of bulk-synchronous data parallelism on as many of the topology's workers. Memory plays no part.
double simulated_data_parallel_us(const Profile& profile, const Topology& topology, int workers);

}  // namespace pipedream::detail

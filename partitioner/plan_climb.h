// From a plan to faster ones, one change at a time, each judged by simulation.
#pragma once

#include <set>
#include <vector>

#include "partitioner/floors.h"
#include "partitioner/plan_judge.h"
#include "partitioner/states.h"
#include "pipedream/partition.h"

namespace pipedream::detail {

// A step that gains less than this is not taken.
constexpr double kLeastGain = 0.001;

class PlanClimb {
 public:
  // All must outlive this.
  PlanClimb(const Profile& profile, const Topology& topology, const PartitionOptions& options,
            const PlanningStates& states, PlanJudge& judge);

  // Where there are few plans at all, makes `best` the fastest of them, and says so.
  bool from_few(JudgedPlan& best);

  // Replaces `best` by what differs in one respect (partitioner/neighbours.h), as long as that is faster and the judge
  // has time. What one climb has seen the next does not try again.
  void from(JudgedPlan& best);

 private:
  using Stages = std::vector<PlacedStage>;

  // To the first that is faster, those before that could be the fastest.
  bool step(JudgedPlan& best, const std::vector<Stages>& others);
  bool try_stages(JudgedPlan& best, const Stages& stages);
  // None, a little, all forwards of an update before its backwards.
  bool try_slacks(JudgedPlan& best, Plan plan);
  bool try_plan(JudgedPlan& best, const Plan& plan);
  // No time is less for these stages.
  double floor_of(const Stages& stages) const;
  bool is_allowed(const Stages& stages) const;
  // Depth delays the backwards of an update, and memory may not allow it everywhere.
  bool is_depth_a_choice() const;

  const Profile& profile_;
  const Topology& topology_;
  const PartitionOptions& options_;
  const PlanningStates& states_;
  const PlannedPlaces places_;
  PlanJudge& judge_;
  std::set<std::vector<int>> seen_;
};

}  // namespace pipedream::detail

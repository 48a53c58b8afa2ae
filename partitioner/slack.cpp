#include "partitioner/slack.h"

#include "partitioner/depth_limits.h"
#include "planning/warmup.h"

namespace pipedream::detail {

std::vector<int> slack_of(const Plan& plan) {
  std::vector<int> slack(plan.stages.size() - 1);
  for (std::size_t s = 0; s < slack.size(); ++s) {
    const StagePlan& next = plan.stages[s + 1];
    slack[s] = plan.stages[s].warmup - default_stage_warmup(plan.stages[s].replicas(), next.replicas(), next.warmup);
  }
  return slack;
}

void set_slack(Plan& plan, const std::vector<int>& slack) {
  plan.stages.back().warmup = 0;
  for (std::size_t s = slack.size(); s-- > 0;) {
    const StagePlan& next = plan.stages[s + 1];
    plan.stages[s].warmup = default_stage_warmup(plan.stages[s].replicas(), next.replicas(), next.warmup) + slack[s];
  }
}

void set_delay(Plan& plan, int delay) {
  for (StagePlan& stage : plan.stages) stage.reduce_delay = stage.replicas() > 1 ? delay : 0;
}

std::vector<int> delays_of(const Plan& plan) {
  std::vector<int> delays;
  for (const StagePlan& stage : plan.stages) delays.push_back(stage.reduce_delay);
  return delays;
}

bool same_depths(const Plan& a, const Plan& b) { return warmup_of(a) == warmup_of(b) && delays_of(a) == delays_of(b); }

}  // namespace pipedream::detail

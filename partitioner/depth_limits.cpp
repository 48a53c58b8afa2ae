#include "partitioner/depth_limits.h"

#include <algorithm>
#include <limits>

#include "partitioner/footprints.h"
#include "planning/warmup.h"
#include "schedule/share.h"

namespace pipedream::detail {
namespace {

// What validate(plan) demands of depths.
void make_valid(Plan& plan) {
  plan.stages.back().warmup = 0;
  const std::int64_t update = plan.microbatches_per_update;
  std::int64_t out = std::numeric_limits<std::int64_t>::max();  // of every stage so far
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    StagePlan& stage = plan.stages[s];
    std::int64_t most = stage.warmup;
    if (plan.algorithm == Algorithm::two_bw && update > 0) most = std::min(most, update / stage.replicas());
    // More than all own microbatches of an update are never ahead.
    if (traits_of(plan.algorithm).flushes) {
      most = std::min(most, ceil_div(microbatches_per_update(plan, static_cast<int>(s)), stage.replicas()) - 1);
    }
    most = std::min(most, (out - 1) / stage.replicas());
    stage.warmup = static_cast<int>(most);
    out = std::min(out, let_out(stage));
  }
}

}  // namespace

std::vector<int> warmup_of(const Plan& plan) {
  std::vector<int> warmup;
  for (const StagePlan& stage : plan.stages) warmup.push_back(stage.warmup);
  return warmup;
}

DepthLimits::DepthLimits(const Plan& plan, const Profile& profile, const PlannedModel& model,
                         StateFactors state_factors, std::int64_t limit_bytes)
    : footprints_(StageFootprints(profile, model.ends).of_stages(model.stage_of_layer, plan.stages.size())),
      messages_{link_traffic(profile, model), model.one_process},
      state_factors_(state_factors),
      limit_bytes_(limit_bytes) {}

std::int64_t DepthLimits::stage_bytes(const Plan& plan, std::size_t stage) const {
  const int s = static_cast<int>(stage);
  StageCosts costs = memory_costs(footprints_[stage], stage_use(plan, s, state_factors_));
  costs.most_message_bytes = message_bytes(plan, s, messages_, footprints_[stage].parameter_bytes);
  return memory_bytes(costs, stage_load(plan, s));
}

std::int64_t DepthLimits::worker_bytes(const Plan& plan) const {
  std::int64_t most = 0;
  for (std::size_t s = 0; s < footprints_.size(); ++s) most = std::max(most, stage_bytes(plan, s));
  return most;
}

bool DepthLimits::allow(const Plan& plan) const {
  Plan valid = plan;
  make_valid(valid);
  return warmup_of(valid) == warmup_of(plan) && (limit_bytes_ == 0 || worker_bytes(plan) <= limit_bytes_);
}

bool DepthLimits::fit(Plan& plan) const {
  for (std::size_t s = 0; limit_bytes_ > 0 && s < footprints_.size(); ++s) {
    if (!fit_memory(plan, s)) return false;
    if (s + 1 == footprints_.size()) break;
    // A stage that has as much out as the one before it makes that one wait: less deep goes with less deep.
    const StagePlan& stage = plan.stages[s];
    StagePlan& next = plan.stages[s + 1];
    next.warmup = std::min(next.warmup, std::max(0, stage.replicas() * stage.warmup / next.replicas() - 1));
  }
  make_valid(plan);
  return true;
}

bool DepthLimits::fit_memory(Plan& plan, std::size_t s) const {
  StagePlan& stage = plan.stages[s];
  while (stage_bytes(plan, s) > limit_bytes_) {
    if (stage.warmup > 0) {
      --stage.warmup;
    } else if (stage.reduce_delay > 0) {
      stage.reduce_delay = 0;
    } else if (plan.algorithm == Algorithm::vertical_sync && plan.stages.front().warmup > 0) {
      --plan.stages.front().warmup;  // every stage holds as many versions as the first one's depth says
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace pipedream::detail

// Which depths a plan may have, and what they cost in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "partitioner/memory_model.h"
#include "partitioner/message_memory.h"
#include "partitioner/planned_model.h"
#include "pipedream/state_factors.h"

namespace pipedream::detail {

std::vector<int> warmup_of(const Plan& plan);

class DepthLimits {
 public:
  // limit_bytes of each worker; 0: none.
  DepthLimits(const Plan& plan, const Profile& profile, const PlannedModel& model, StateFactors state_factors,
              std::int64_t limit_bytes);

  std::int64_t stage_bytes(const Plan& plan, std::size_t stage) const;
  // Of the worker that needs most.
  std::int64_t worker_bytes(const Plan& plan) const;

  // Valid and within the limit.
  bool allow(const Plan& plan) const;

  // Takes depth and delay back until the plan is allowed. False where it never is.
  bool fit(Plan& plan) const;

 private:
  bool fit_memory(Plan& plan, std::size_t stage) const;

  std::vector<StageFootprint> footprints_;  // by stage
  MessageMemory messages_;
  StateFactors state_factors_;
  std::int64_t limit_bytes_;
};

}  // namespace pipedream::detail

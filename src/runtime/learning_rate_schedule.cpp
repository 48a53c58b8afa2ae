#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "pipedream/error.h"
#include "pipedream/optimizer.h"

namespace pipedream {
namespace {

// 0 at the warm-up's end, 1 at the end of the schedule and after it.
double progress(const LearningRateSchedule& schedule, std::int64_t microbatch) {
  const std::int64_t length = schedule.total_microbatches - schedule.warmup_microbatches;
  const std::int64_t passed = microbatch - schedule.warmup_microbatches;
  return std::min(1.0, static_cast<double>(passed) / static_cast<double>(length));
}

}  // namespace

double LearningRateSchedule::factor(std::int64_t microbatch) const {
  if (microbatch < warmup_microbatches) {
    return static_cast<double>(microbatch + 1) / static_cast<double>(warmup_microbatches);
  }
  switch (shape) {
    case RateShape::constant:
      break;
    case RateShape::linear:
      return 1 - (1 - end_factor) * progress(*this, microbatch);
    case RateShape::cosine:
      return end_factor + (1 - end_factor) * 0.5 * (1 + std::cos(std::numbers::pi * progress(*this, microbatch)));
    case RateShape::step:
      return std::pow(step_factor, static_cast<double>((microbatch - warmup_microbatches) / step_microbatches));
  }
  return 1;
}

void validate(const LearningRateSchedule& schedule) {
  const auto demand = [](bool holds, const char* field, auto value, const std::string& range) {
    if (!holds) throw ConfigError(fmt::format("learning rate schedule: {} is {}; it must be {}", field, value, range));
  };
  demand(schedule.warmup_microbatches >= 0, "warmup_microbatches", schedule.warmup_microbatches, "0 or more");
  if (schedule.shape == RateShape::linear || schedule.shape == RateShape::cosine) {
    demand(schedule.total_microbatches > schedule.warmup_microbatches, "total_microbatches",
           schedule.total_microbatches, fmt::format("more than the {} of the warm-up", schedule.warmup_microbatches));
    demand(schedule.end_factor >= 0 && schedule.end_factor <= 1, "end_factor", schedule.end_factor, "in [0, 1]");
  }
  if (schedule.shape == RateShape::step) {
    demand(schedule.step_microbatches > 0, "step_microbatches", schedule.step_microbatches, "positive");
    demand(schedule.step_factor > 0 && std::isfinite(schedule.step_factor), "step_factor", schedule.step_factor,
           "positive");
  }
}

}  // namespace pipedream

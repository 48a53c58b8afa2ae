// Turns losses into the progress that TrainOptions::on_progress hears of.
#pragma once

#include <chrono>

#include "pipedream/trainer.h"
#include "runtime/pass.h"

namespace pipedream::detail {

class ProgressMeter {
 public:
  ProgressMeter(const TrainOptions& options, std::int64_t microbatches);
  void add(const Scores& scores);

 private:
  using Clock = std::chrono::steady_clock;

  const TrainOptions& options_;
  std::int64_t total_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_report_ = start_;
  std::int64_t last_microbatches_ = 0;
  double loss_sum_ = 0;
  double weight_sum_ = 0;
};

}  // namespace pipedream::detail

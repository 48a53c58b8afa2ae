// The options that choose an optimizer: settings, learning-rate schedule and clipping.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "pipedream/optimizer.h"

namespace pipedream::detail {

class OptimizerOptions {
 public:
  void add_to(CLI::App& command);

  // What the command line leaves open is the application's. A schedule that ends with the run gets its length later
  // (complete). Throws ConfigError naming the option.
  OptimizerSpec choose(const OptimizerSpec& application) const;

 private:
  OptimizerSpec choose_kind(const OptimizerSpec& application) const;
  void choose_schedule(LearningRateSchedule& schedule) const;

  std::string kind_;
  std::optional<double> learning_rate_;
  std::optional<double> momentum_;
  std::string schedule_;
  std::optional<std::int64_t> warmup_;
  std::optional<double> clip_norm_;
  std::string clip_by_;
};

// Gives linear and cosine schedules without a length that of the run.
void complete(LearningRateSchedule& schedule, std::int64_t run_microbatches);

}  // namespace pipedream::detail

#include "app/optimizer_options.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

double checked(const char* option, double value) {
  if (!std::isfinite(value) || value < 0) {
    throw ConfigError(fmt::format("{} {}: it must be a finite number from 0 on", option, value));
  }
  return value;
}

// "step:MICROBATCHES:FACTOR".
void parse_step(const std::string& text, LearningRateSchedule& schedule) {
  long long microbatches = 0;
  int end = 0;
  schedule.shape = RateShape::step;
  if (std::sscanf(text.c_str(), "step:%lld:%lf%n", &microbatches, &schedule.step_factor, &end) != 2 ||
      static_cast<std::size_t>(end) != text.size()) {
    throw ConfigError(fmt::format(
        "--schedule {}: it must be constant, linear, cosine, or step:MICROBATCHES:FACTOR as in step:1000:0.1", text));
  }
  schedule.step_microbatches = microbatches;
}

}  // namespace

void OptimizerOptions::add_to(CLI::App& command) {
  command.add_option("--optimizer", kind_, "sgd, adam or adamw");
  command.add_option("--learning-rate", learning_rate_, "Of all parameter groups without one of their own");
  command.add_option("--momentum", momentum_, "Of sgd");
  command.add_option("--schedule", schedule_,
                     "Of the learning rate: constant, linear or cosine to 0 at the run's end, or "
                     "step:MICROBATCHES:FACTOR");
  command.add_option("--rate-warmup", warmup_, "Microbatches over which the learning rate rises from 0")
      ->check(CLI::NonNegativeNumber.description(""));
  command.add_option("--clip-norm", clip_norm_, "Clip the gradients of each update to this norm");
  command.add_option("--clip-by", clip_by_, "The norm of the gradients that counts: global, or each stage's own")
      ->check(CLI::IsMember({"global", "stage"}).description(""));
}

OptimizerSpec OptimizerOptions::choose_kind(const OptimizerSpec& application) const {
  if (kind_.empty()) return application;
  const OptimizerKind kind = parse_optimizer(kind_);
  if (kind == application.kind) return application;
  // The application's settings are those of its own optimizer.
  OptimizerSpec spec = kind == OptimizerKind::sgd ? sgd() : kind == OptimizerKind::adam ? adam() : adamw();
  spec.groups = application.groups;
  spec.schedule = application.schedule;
  spec.clipping = application.clipping;
  return spec;
}

void OptimizerOptions::choose_schedule(LearningRateSchedule& schedule) const {
  if (schedule_ == "constant") {
    schedule = {};
  } else if (schedule_ == "linear") {
    schedule = {.shape = RateShape::linear};
  } else if (schedule_ == "cosine") {
    schedule = {.shape = RateShape::cosine};
  } else if (!schedule_.empty()) {
    schedule = {};
    parse_step(schedule_, schedule);
  }
  if (warmup_) schedule.warmup_microbatches = *warmup_;
}

OptimizerSpec OptimizerOptions::choose(const OptimizerSpec& application) const {
  OptimizerSpec spec = choose_kind(application);
  if (learning_rate_) spec.settings.learning_rate = checked("--learning-rate", *learning_rate_);
  if (momentum_) {
    if (spec.kind != OptimizerKind::sgd) {
      throw ConfigError(fmt::format("--momentum belongs to sgd, not to {}", to_string(spec.kind)));
    }
    spec.settings.momentum = checked("--momentum", *momentum_);
  }
  choose_schedule(spec.schedule);
  if (clip_norm_) spec.clipping.max_norm = checked("--clip-norm", *clip_norm_);
  if (!clip_by_.empty()) spec.clipping.scope = clip_by_ == "stage" ? ClipScope::stage : ClipScope::global;
  if (!clip_by_.empty() && spec.clipping.max_norm == 0) {
    throw ConfigError(fmt::format("--clip-by {}: it needs --clip-norm", clip_by_));
  }
  return spec;
}

void complete(LearningRateSchedule& schedule, std::int64_t run_microbatches) {
  const bool ends = schedule.shape == RateShape::linear || schedule.shape == RateShape::cosine;
  if (ends && schedule.total_microbatches == 0) schedule.total_microbatches = run_microbatches;
}

}  // namespace pipedream::detail

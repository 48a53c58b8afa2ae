// Training: a call's segments, one after the other.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>
#include <type_traits>

#include "pipedream/error.h"
#include "pipedream/simulate.h"
#include "runtime/progress_meter.h"
#include "runtime/steady_clock.h"
#include "runtime/trainer_impl.h"
#include "transport/agreement.h"

namespace pipedream {

struct Trainer::Impl::PlannedSegment {
  Plan plan;
  std::int64_t microbatches = 0;
};

// What a train call has at hand, and what it has come to.
struct Trainer::Impl::TrainCall {
  const Dataset& data;
  const TrainOptions& options;
  MicrobatchSampler sampler;
  std::int64_t microbatches = 0;
  detail::ProgressMeter meter;
  std::vector<detail::Scores> scores = {};  // of this worker; microbatches count from the call's first
  double seconds = 0;
};

namespace {

std::int64_t length_of(std::int64_t epochs, std::int64_t steps, std::int64_t epoch) {
  return steps > 0 ? steps : epochs * epoch;
}

std::string text_of(const std::vector<TrainSegment>& segments) {
  std::string text;
  for (const TrainSegment& s : segments) {
    text += fmt::format("{} {} epochs {} steps {} an update; ", to_string(s.algorithm), s.epochs, s.steps,
                        s.microbatches_per_update);
  }
  return text.empty() ? "one" : text;
}

void check_options(const TrainOptions& options) {
  if (options.epochs < 0 || options.steps < 0) {
    throw ConfigError(fmt::format("epochs {} and steps {} must not be negative", options.epochs, options.steps));
  }
  for (std::size_t i = 0; i < options.segments.size(); ++i) {
    const TrainSegment& s = options.segments[i];
    if (s.epochs < 0 || s.steps < 0 || s.microbatches_per_update < 0) {
      throw ConfigError(
          fmt::format("segment {} ({}): epochs {}, steps {} and microbatches_per_update {} must not be "
                      "negative",
                      i, to_string(s.algorithm), s.epochs, s.steps, s.microbatches_per_update));
    }
    if (s.epochs == 0 && s.steps == 0 && i + 1 < options.segments.size()) {
      throw ConfigError(
          fmt::format("segment {} ({}) has no length; only the last may leave it out", i, to_string(s.algorithm)));
    }
  }
}

}  // namespace

std::vector<Trainer::Impl::PlannedSegment> Trainer::Impl::plan_segments(const TrainOptions& options,
                                                                        std::int64_t epoch) const {
  const std::int64_t total = length_of(options.epochs, options.steps, epoch);
  if (options.segments.empty()) return {{plan_, total}};
  std::vector<PlannedSegment> planned;
  std::int64_t left = total;
  for (const TrainSegment& segment : options.segments) {
    Plan plan = plan_;
    if (segment.microbatches_per_update > 0) plan.microbatches_per_update = segment.microbatches_per_update;
    plan = with_algorithm(plan, segment.algorithm);
    const bool has_length = segment.epochs > 0 || segment.steps > 0;
    const std::int64_t length = has_length ? length_of(segment.epochs, segment.steps, epoch) : left;
    if (length > left) {
      throw ConfigError(fmt::format("the segments up to {} have {} microbatches; the call has {}",
                                    to_string(segment.algorithm), total - left + length, total));
    }
    left -= length;
    planned.push_back({std::move(plan), length});
  }
  if (left > 0) {
    throw ConfigError(fmt::format("the segments have {} microbatches; the call has {}", total - left, total));
  }
  return planned;
}

TrainResult Trainer::Impl::train(const Dataset& data, const TrainOptions& options) {
  std::vector<PlannedSegment> segments;
  std::int64_t microbatches = 0;
  detail::agree(comm_, [&]() -> detail::Facts {
    check_microbatch_size(options.microbatch_size);
    check_options(options);
    require_data(data);
    segments = plan_segments(options, (data.size() + options.microbatch_size - 1) / options.microbatch_size);
    for (const PlannedSegment& segment : segments) {
      clipper_.check(segment.plan.algorithm);
      for (const auto& worker : hosted_) worker->check_corrections(segment.plan);
      microbatches += segment.microbatches;
    }
    return {{"rows of the data set", std::to_string(data.size())},
            {"microbatches to train", std::to_string(microbatches)},
            {"segments", text_of(options.segments)},
            {"microbatch size", std::to_string(options.microbatch_size)},
            {"shuffle", options.shuffle ? "yes" : "no"},
            {"whether the run can be stopped", options.stop_requested ? "yes" : "no"}};
  });
  TrainCall call{data,
                 options,
                 {data.size(), options.microbatch_size, options.shuffle, options_.seed},
                 microbatches,
                 detail::ProgressMeter(options, microbatches)};
  // The first segment's steady state.
  const auto measured = memory_.open_training(steady_segment(segments.front().plan).microbatches);
  probe(data, call.sampler);
  memory_.reset();
  for (const PlannedSegment& segment : segments) prove(segment.plan, {Pass::train, segment.microbatches});

  const std::int64_t first = next_microbatch_;
  for (const auto& worker : hosted_) worker->staleness.clear();
  bool stopped = false;
  for (const PlannedSegment& segment : segments) {
    stopped = run_segment(call, segment, next_microbatch_ - first) < segment.microbatches;
    if (stopped) break;
  }
  TrainResult result = sum_up(call, first);
  result.stopped = stopped;
  return result;
}

std::int64_t Trainer::Impl::run_segment(TrainCall& call, const PlannedSegment& segment, std::int64_t offset) {
  const bool reports = plan_.stages.back().workers.front() == comm_.rank() && call.options.on_progress;
  const auto feeds = open_feeds(call.data, call.sampler, next_microbatch_, segment.microbatches);
  detail::SegmentRun run = segment_run(segment.plan, Pass::train, segment.microbatches);
  for (std::size_t h = 0; h < hosted_.size(); ++h) {
    hosted_[h]->start_segment({.plan = segment.plan,
                               .first_microbatch = next_microbatch_,
                               .call_microbatches = call.microbatches,
                               .nominal_weight = static_cast<double>(call.options.microbatch_size),
                               .staleness = call.options.staleness,
                               .on_scores = [&call, reports, offset](const detail::Scores& scores) {
                                 call.scores.push_back(scores);
                                 call.scores.back().microbatch += offset;
                                 if (reports) call.meter.add(call.scores.back());
                               }});
    run.stages.push_back({feeds[h].get(), hosted_[h].get()});
  }
  std::optional<detail::StopVote> vote;
  if (call.options.stop_requested) {
    vote.emplace(segment.plan, all_workers_.get(), segment.microbatches, call.options.stop_requested);
  }
  run.stop_vote = vote ? &*vote : nullptr;
  run.memory = &memory_;
  executor_->recorder().clear();
  timeline_first_ = next_microbatch_;
  comm_.barrier();
  clock_zero_ns_ = detail::steady_now_ns();
  const std::int64_t done = executor_->run(run, links_);
  call.seconds += static_cast<double>(detail::steady_now_ns() - clock_zero_ns_) * 1e-9;
  next_microbatch_ += done;
  return done;
}

TrainResult Trainer::Impl::sum_up(const TrainCall& call, std::int64_t first) {
  TrainResult result;
  result.first_microbatch = first;
  result.microbatches = next_microbatch_ - first;
  for (const std::string& text : comm_.all_gather(nlohmann::json(call.seconds).dump())) {
    result.seconds = std::max(result.seconds, nlohmann::json::parse(text).get<double>());
  }
  const std::int64_t epoch = call.sampler.microbatches_per_epoch();
  double weighted = 0;
  double weight = 0;
  for (const detail::Scores& scores : gather_scores(call.scores)) {
    result.losses.push_back(static_cast<float>(scores.loss));
    if (scores.microbatch < result.microbatches - epoch) continue;
    weighted += scores.loss * scores.weight;
    weight += scores.weight;
  }
  for (std::int64_t k = first; k < next_microbatch_; ++k) result.samples += call.sampler.size_of(k);
  result.mean_loss = weight > 0 ? weighted / weight : 0;
  if (call.options.staleness != StalenessTelemetry::off) result.staleness = gather_staleness();
  return result;
}

std::vector<StalenessRecord> Trainer::Impl::gather_staleness() {
  static_assert(std::is_trivially_copyable_v<StalenessRecord>);
  std::string own;
  for (const auto& worker : hosted_) {
    const auto& records = worker->staleness;
    own.append(reinterpret_cast<const char*>(records.data()), records.size() * sizeof(StalenessRecord));
  }
  std::vector<StalenessRecord> all;
  for (const std::string& bytes : comm_.all_gather(own)) {
    const std::size_t before = all.size();
    all.resize(before + bytes.size() / sizeof(StalenessRecord));
    std::memcpy(all.data() + before, bytes.data(), bytes.size());
  }
  std::sort(all.begin(), all.end(), [](const StalenessRecord& a, const StalenessRecord& b) {
    return std::tie(a.microbatch, a.stage) < std::tie(b.microbatch, b.stage);
  });
  return all;
}

}  // namespace pipedream

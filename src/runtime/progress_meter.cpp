#include "runtime/progress_meter.h"

namespace pipedream::detail {

ProgressMeter::ProgressMeter(const TrainOptions& options, std::int64_t microbatches)
    : options_(options), total_(microbatches) {}

void ProgressMeter::add(const Scores& scores) {
  loss_sum_ += scores.loss * scores.weight;
  weight_sum_ += scores.weight;
  const auto now = Clock::now();
  const std::int64_t done = scores.microbatch + 1;
  if (now - last_report_ < options_.progress_every && done < total_) return;
  const double since_start = std::chrono::duration<double>(now - start_).count();
  const double since_report = std::chrono::duration<double>(now - last_report_).count();
  TrainProgress progress;
  progress.microbatches = done;
  progress.total = total_;
  progress.loss = weight_sum_ > 0 ? loss_sum_ / weight_sum_ : 0;
  // Microbatches of all replicas, of which this one counts its own only.
  progress.samples_per_second =
      static_cast<double>((done - last_microbatches_) * options_.microbatch_size) / since_report;
  progress.seconds_left = since_start / static_cast<double>(done) * static_cast<double>(total_ - done);
  options_.on_progress(progress);
  last_report_ = now;
  last_microbatches_ = done;
  loss_sum_ = 0;
  weight_sum_ = 0;
}

}  // namespace pipedream::detail

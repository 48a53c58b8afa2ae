// What all passes of a trainer share, and evaluation.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "pipedream/error.h"
#include "runtime/steady_clock.h"
#include "runtime/trainer_impl.h"
#include "transport/agreement.h"

namespace pipedream {

void Trainer::Impl::check_microbatch_size(std::int64_t size) {
  if (size < 1) throw ConfigError(fmt::format("microbatch size {} is not positive", size));
}

void Trainer::Impl::require_data(const Dataset& data) const {
  const auto names = data.names();
  if (data.size() < 1) throw ConfigError("the data set is empty");
  for (const auto& worker : hosted_) {
    for (const std::string& name : data_names(*worker)) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      throw ConfigError(
          fmt::format("the data set has no '{}', which stage {} uses", name, worker->stage().wiring().stage));
    }
  }
}

std::vector<std::string> Trainer::Impl::data_names(const detail::StageWorker& worker) {
  std::vector<std::string> names;
  for (const auto& slot : worker.stage().wiring().data) names.push_back(slot.name);
  return names;
}

std::vector<std::unique_ptr<detail::DataFeed>> Trainer::Impl::open_feeds(const Dataset& data,
                                                                         const MicrobatchSampler& sampler,
                                                                         std::int64_t first,
                                                                         std::int64_t microbatches) {
  std::vector<std::unique_ptr<detail::DataFeed>> feeds;
  for (const auto& worker : hosted_) {
    feeds.push_back(std::make_unique<detail::DataFeed>(data, sampler, data_names(*worker),
                                                       feed_range(worker->stage().wiring().stage, first, microbatches),
                                                       options_.device, memory_));
  }
  return feeds;
}

detail::SegmentRun Trainer::Impl::segment_run(const Plan& plan, Pass pass, std::int64_t microbatches) const {
  detail::SegmentRun run;
  run.plan = &plan;
  run.segment = {pass, microbatches};
  run.first_microbatch = pass == Pass::forward_only ? 0 : next_microbatch_;
  run.deadline = options_.deadline;
  run.first_deadline = std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(options_.deadline.count()) * options_.first_deadline_factor));
  return run;
}

detail::FeedRange Trainer::Impl::feed_range(int stage, std::int64_t first, std::int64_t microbatches) const {
  const auto& workers = plan_.stages[static_cast<std::size_t>(stage)].workers;
  const auto replica = std::find(workers.begin(), workers.end(), comm_.rank()) - workers.begin();
  return {first + replica, static_cast<std::int64_t>(workers.size()), first + microbatches};
}

EvaluationResult Trainer::Impl::evaluate(const Dataset& data, std::int64_t microbatch_size) {
  detail::agree(comm_, [&]() -> detail::Facts {
    check_microbatch_size(microbatch_size);
    require_data(data);
    return {{"rows of the data set", std::to_string(data.size())},
            {"microbatch size", std::to_string(microbatch_size)}};
  });
  const MicrobatchSampler sampler(data.size(), microbatch_size, /*shuffle=*/false, options_.seed);
  const std::int64_t microbatches = sampler.microbatches_per_epoch();
  prove(plan_, {Pass::forward_only, microbatches});

  std::vector<detail::Scores> own;
  std::vector<std::unique_ptr<detail::EvaluationPass>> passes;
  const auto feeds = open_feeds(data, sampler, 0, microbatches);
  detail::SegmentRun run = segment_run(plan_, Pass::forward_only, microbatches);
  for (std::size_t h = 0; h < hosted_.size(); ++h) {
    detail::StageWorker& worker = *hosted_[h];
    passes.push_back(
        std::make_unique<detail::EvaluationPass>(worker.stage(), worker.versions(), exchange_->averaged_buffers(worker),
                                                 [&](const detail::Scores& scores) { own.push_back(scores); }));
    run.stages.push_back({feeds[h].get(), passes.back().get()});
  }
  executor_->recorder().clear();
  timeline_first_ = 0;
  comm_.barrier();
  clock_zero_ns_ = detail::steady_now_ns();
  executor_->run(run, links_);

  EvaluationResult result;
  result.samples = data.size();
  double loss_weight = 0;
  std::vector<double> sums(graph_.metrics().size(), 0);
  std::vector<double> weights(graph_.metrics().size(), 0);
  for (const detail::Scores& scores : gather_scores(own)) {
    result.loss += scores.loss * scores.weight;
    loss_weight += scores.weight;
    for (std::size_t m = 0; m < sums.size(); ++m) {
      sums[m] += scores.metrics[m] * scores.metric_weights[m];
      weights[m] += scores.metric_weights[m];
    }
  }
  result.loss /= loss_weight;
  for (std::size_t m = 0; m < sums.size(); ++m) result.metrics[graph_.metrics()[m].name] = sums[m] / weights[m];
  return result;
}

std::vector<detail::Scores> Trainer::Impl::gather_scores(const std::vector<detail::Scores>& own) {
  using nlohmann::json;
  std::vector<std::vector<double>> rows;
  for (const detail::Scores& s : own) {
    std::vector<double> row{static_cast<double>(s.microbatch), s.loss, s.weight};
    row.insert(row.end(), s.metrics.begin(), s.metrics.end());
    row.insert(row.end(), s.metric_weights.begin(), s.metric_weights.end());
    rows.push_back(std::move(row));
  }
  const auto packed = json::to_cbor(json(rows));  // exact, also for infinities
  std::vector<detail::Scores> all;
  for (const std::string& text : comm_.all_gather({reinterpret_cast<const char*>(packed.data()), packed.size()})) {
    for (const auto& row : json::from_cbor(text).get<std::vector<std::vector<double>>>()) {
      const auto metrics = row.begin() + 3;
      const auto half = metrics + (row.end() - metrics) / 2;
      all.push_back({static_cast<std::int64_t>(row[0]), row[1], row[2], {metrics, half}, {half, row.end()}});
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.microbatch < b.microbatch; });
  return all;
}

}  // namespace pipedream

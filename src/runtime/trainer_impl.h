// The parts behind a Trainer, and the steps of its calls. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipedream/trainer.h"
#include "runtime/channels.h"
#include "runtime/clipping.h"
#include "runtime/executor.h"
#include "runtime/memory_window.h"
#include "runtime/stage_worker.h"
#include "runtime/weight_exchange.h"
#include "transport/device.h"

namespace pipedream {

class Trainer::Impl {
 public:
  Impl(const LayerGraph& graph, Plan plan, Communicator& comm, TrainerOptions options);

  TrainResult train(const Dataset& data, const TrainOptions& options);
  EvaluationResult evaluate(const Dataset& data, std::int64_t microbatch_size);
  void save_weights(const std::filesystem::path& path);
  void load_weights(const std::filesystem::path& path, bool strict);
  NamedTensors weights() { return exchange_->gather(/*on_every_worker=*/true); }
  Timeline timeline();

  const Plan& plan() const { return plan_; }
  const std::vector<int>& stages() const { return stages_; }
  detail::StageWorker& worker_of_stage(int stage);
  const std::vector<std::unique_ptr<detail::StageWorker>>& hosted() const { return hosted_; }
  RuntimeCounters counters() const;
  std::vector<RuntimeCounters> counters_of_workers();

  // Runs `work`; what it throws ends all workers.
  template <class Work>
  auto together(Work work) -> decltype(work());

 private:
  struct PlannedSegment;
  struct TrainCall;

  void build();
  void open();
  void require_data(const Dataset& data) const;
  // Once, before the first update: finds out which layers draw and which links carry gradients.
  void probe(const Dataset& data, const MicrobatchSampler& sampler);
  void adopt_traits(const std::vector<const detail::StageTraits*>& own);
  void prove(const Plan& plan, const Segment& segment);
  // plan: with the segment's algorithm; kept by reference.
  detail::SegmentRun segment_run(const Plan& plan, Pass pass, std::int64_t microbatches) const;
  // The data of the hosted stages for a run of microbatches.
  std::vector<std::unique_ptr<detail::DataFeed>> open_feeds(const Dataset& data, const MicrobatchSampler& sampler,
                                                            std::int64_t first, std::int64_t microbatches);
  detail::FeedRange feed_range(int stage, std::int64_t first, std::int64_t microbatches) const;
  static std::vector<std::string> data_names(const detail::StageWorker& worker);
  static void check_microbatch_size(std::int64_t size);
  std::vector<PlannedSegment> plan_segments(const TrainOptions& options, std::int64_t epoch) const;
  // offset: of the segment in the call. Returns how many microbatches were trained.
  std::int64_t run_segment(TrainCall& call, const PlannedSegment& segment, std::int64_t offset);
  std::vector<StalenessRecord> gather_staleness();
  TrainResult sum_up(const TrainCall& call, std::int64_t first);
  std::vector<detail::Scores> gather_scores(const std::vector<detail::Scores>& own);

  const LayerGraph& graph_;
  Plan plan_;
  Communicator& comm_;
  TrainerOptions options_;
  std::optional<c10::Stream> stream_;  // of the worker's device
  detail::GradientClipper clipper_;
  std::vector<int> stages_;  // of this worker, ascending
  std::vector<StageLink> links_;
  std::vector<std::unique_ptr<detail::StageWorker>> hosted_;  // by stages_
  std::unique_ptr<detail::Channels> channels_;
  std::unique_ptr<detail::WeightExchange> exchange_;
  std::unique_ptr<detail::Executor> executor_;
  std::unique_ptr<ReduceGroup> all_workers_;  // for the stop vote; none for a single worker
  detail::MemoryWindow memory_;
  bool probed_ = false;
  std::int64_t next_microbatch_ = 0;
  std::int64_t timeline_first_ = 0;  // microbatch of the run at which the recorded segment began
  std::int64_t clock_zero_ns_ = 0;
};

}  // namespace pipedream

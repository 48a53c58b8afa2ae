#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "cases.h"
#include "pipedream/error.h"
#include "pipeline.h"
#include "prediction.h"

namespace pipedream::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::array kAlgorithms{Algorithm::gpipe,     Algorithm::flush_1f1b,        Algorithm::interleaved_1f1b,
                                 Algorithm::pipedream, Algorithm::vertical_sync,     Algorithm::two_bw,
                                 Algorithm::pipemare,  Algorithm::naive_asynchronous};
constexpr int kLayersOfWorker = 2;

milliseconds microbatch_time(const Options& options) { return options.quick ? milliseconds(10) : milliseconds(40); }

// The same layers for every algorithm; interleaved, each of a worker's layers is a stage.
Workload under(Workload work, int workers, Algorithm algorithm) {
  if (traits_of(algorithm).shares_workers) {
    work.plan = even_plan(work.graph, kLayersOfWorker * workers, workers);
    work.plan.algorithm = algorithm;
  } else {
    work.plan = with_algorithm(work.plan, algorithm);
  }
  if (traits_of(algorithm).flushes) work.plan.microbatches_per_update = 2 * workers;
  return work;
}

std::vector<Result> flushing(Communicator& comm, const Options& options, const Workload& work, const Profile& profile) {
  const int updates = options.quick ? 1 : 2;
  auto figures = measure_flushes(comm, work, updates, options.quick ? 1 : options.samples);
  if (comm.rank() != 0) return {};
  const std::int64_t microbatches = updates * work.plan.microbatches_per_update;
  const TimelineFigures simulated = simulated_run(work, microbatches, profile, profile.topology);
  add_prediction(figures, "update", simulated.span_us / updates);
  return present(
      comm, options,
      {.case_name = "deep",
       .setting = fmt::format("{} ms a worker for a microbatch, messages of 16 KiB; with a flush: 2 microbatches a "
                              "worker in an update, warm-up of 1f1b-flush S - s (0 in the last stage), 2 stages a "
                              "worker in interleaved-1f1b",
                              microbatch_time(options).count()),
       .goals = {{"difference", Limit::within, 2}, {"prediction", Limit::within, 3}},
       .what = std::string(to_string(work.plan.algorithm))},
      std::move(figures));
}

std::vector<Result> asynchronous(Communicator& comm, const Options& options, const Workload& work,
                                 const Profile& profile) {
  const SampleSize size =
      options.quick ? SampleSize{4, 12, 1} : SampleSize{10, std::max(48, 4 * comm.size()), options.samples};
  auto figures = measure_pipeline(comm, work, size);
  if (comm.rank() != 0) return {};
  const TimelineFigures simulated = simulated_run(work, size.pipeline, profile, profile.topology);
  add_prediction(figures, "microbatch", simulated.microbatch_us);
  return present(comm, options,
                 {.case_name = "deep",
                  .setting = fmt::format("{} ms a stage, messages of 16 KiB; without a flush, warm-up S - s (0 in the "
                                         "last stage)",
                                         microbatch_time(options).count()),
                  .goals = {{"efficiency", Limit::at_least, 0.985}, {"prediction", Limit::within, 3}},
                  .what = std::string(to_string(work.plan.algorithm))},
                 std::move(figures));
}

}  // namespace

// Many workers on few cores: what waits must leave the cores to those that have something to do.
std::vector<Result> run_deep(Communicator& comm, const Options& options) {
  const EmulatedStage stage{
      .time = microbatch_time(options), .layers = kLayersOfWorker, .floats = 1 << 12, .parameters = 1 << 10};
  const Workload work = emulated(comm.size(), stage, deeper_warmup(comm.size()));
  const Profile profile = profile_of(comm, work, options.quick ? 1 : 3);
  std::vector<Result> results;
  for (const Algorithm algorithm : kAlgorithms) {
    const auto& wanted = options.algorithms;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), algorithm) == wanted.end()) continue;
    const auto measure = traits_of(algorithm).flushes ? flushing : asynchronous;
    for (Result& result : measure(comm, options, under(work, comm.size(), algorithm), profile)) {
      results.push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace pipedream::bench

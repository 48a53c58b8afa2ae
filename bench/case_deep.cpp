#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "cases.h"
#include "pipeline.h"
#include "prediction.h"

namespace pipedream::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::array kFlushing{Algorithm::gpipe, Algorithm::flush_1f1b, Algorithm::interleaved_1f1b};
constexpr std::array kAsynchronous{Algorithm::pipedream, Algorithm::vertical_sync, Algorithm::two_bw,
                                   Algorithm::pipemare, Algorithm::naive_asynchronous};
constexpr int kLayersOfWorker = 2;

// Layers that wait, as many on each worker and for so long, and what the profiler says of them.
struct Emulation {
  milliseconds time;  // of a worker for a microbatch
  Workload work;
  Profile profile;
};

Emulation emulate(Communicator& comm, const Options& options, milliseconds time) {
  if (options.quick) time /= 4;
  const EmulatedStage stage{.time = time, .layers = kLayersOfWorker, .floats = 1 << 12, .parameters = 1 << 10};
  Workload work = emulated(comm.size(), stage, deeper_warmup(comm.size()));
  Profile profile = profile_of(comm, work, options.quick ? 1 : 3);
  return {time, std::move(work), std::move(profile)};
}

bool is_wanted(const Options& options, Algorithm algorithm) {
  const auto& wanted = options.algorithms;
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), algorithm) != wanted.end();
}

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

std::vector<Result> flushing(Communicator& comm, const Options& options, const Emulation& emulation,
                             Algorithm algorithm) {
  const Workload work = under(emulation.work, comm.size(), algorithm);
  auto figures = measure_flushes(comm, work, options.quick ? 1 : options.samples);
  if (comm.rank() != 0) return {};
  const Profile& profile = emulation.profile;
  add_prediction(figures, "update",
                 simulated_run(work, work.plan.microbatches_per_update, profile, profile.topology).span_us);
  return present(comm, options,
                 {.case_name = "deep",
                  .setting = fmt::format("With a flush: {} ms a worker for a microbatch, messages of 16 KiB, 2 "
                                         "microbatches a worker in an update; 1f1b-flush with warm-up S - s (0 in the "
                                         "last stage), interleaved-1f1b with {} stages a worker",
                                         emulation.time.count(), kLayersOfWorker),
                  .goals = {{"difference", Limit::within, 2}, {"prediction", Limit::within, 3}},
                  .what = std::string(to_string(algorithm))},
                 std::move(figures));
}

std::vector<Result> asynchronous(Communicator& comm, const Options& options, const Emulation& emulation,
                                 Algorithm algorithm) {
  const Workload work = under(emulation.work, comm.size(), algorithm);
  const SampleSize size = options.quick ? SampleSize{4, 12, 1} : SampleSize{8, 16 + 2 * comm.size(), options.samples};
  auto figures = measure_pipeline(comm, work, size);
  if (comm.rank() != 0) return {};
  const Profile& profile = emulation.profile;
  add_prediction(figures, "microbatch", simulated_run(work, size.pipeline, profile, profile.topology).microbatch_us);
  return present(
      comm, options,
      {.case_name = "deep",
       .setting = fmt::format("Without a flush: {} ms a worker for a microbatch, messages of 16 KiB, warm-up "
                              "S - s (0 in the last stage)",
                              emulation.time.count()),
       .goals = {{"efficiency", Limit::at_least, 0.985}, {"prediction", Limit::within, 3}},
       .what = std::string(to_string(algorithm))},
      std::move(figures));
}

template <class Algorithms, class Measure>
void measure_all(std::vector<Result>& results, Communicator& comm, const Options& options, milliseconds time,
                 const Algorithms& algorithms, Measure measure) {
  if (std::none_of(algorithms.begin(), algorithms.end(), [&](Algorithm one) { return is_wanted(options, one); }))
    return;
  const Emulation emulation = emulate(comm, options, time);
  for (const Algorithm algorithm : algorithms) {
    if (!is_wanted(options, algorithm)) continue;
    for (Result& result : measure(comm, options, emulation, algorithm)) results.push_back(std::move(result));
  }
}

}  // namespace

// Many workers on few cores: what waits must leave the cores to those that have something to do.
std::vector<Result> run_deep(Communicator& comm, const Options& options) {
  std::vector<Result> results;
  measure_all(results, comm, options, milliseconds(80), kFlushing, flushing);
  measure_all(results, comm, options, milliseconds(40), kAsynchronous, asynchronous);
  return results;
}

}  // namespace pipedream::bench

#include <fmt/format.h>

#include <chrono>

#include "cases.h"
#include "emulated_link.h"
#include "pipedream/depths.h"
#include "pipedream/error.h"
#include "pipedream/mpi_communicator.h"
#include "pipeline.h"
#include "prediction.h"

namespace pipedream::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kFloats = 1 << 12;

// The plan of worker 0, which alone searches: the cores are for all.
Plan with_chosen_depths(Communicator& comm, Plan plan, const Profile& profile, const Topology& topology) {
  if (comm.rank() == 0) choose_depths(plan, profile, topology);
  return parse_plan(comm.all_gather(comm.rank() == 0 ? to_json(plan) : "").front(), "the plan of worker 0");
}

std::vector<Result> measure_depths(Communicator& comm, const Options& options, const Workload& work,
                                   const Profile& profile, const Topology& topology, const Presentation& presentation) {
  const SampleSize size = options.quick ? SampleSize{4, 24, 1} : SampleSize{8, 4 * comm.size(), options.samples};
  auto figures = measure_pipeline(comm, work, size);
  if (comm.rank() != 0) return {};
  add_prediction(figures, "microbatch", simulated_run(work, size.pipeline, profile, topology).microbatch_us);
  return present(comm, options, presentation, std::move(figures));
}

}  // namespace

// Every message takes a third of a stage's time.
std::vector<Result> run_links(Communicator& comm, const Options& options) {
  if (MpiScope::launched() || comm.size() < 2)
    throw ConfigError("links are emulated between threads of one process: start it with --threads 2 or more");
  const milliseconds time = options.quick ? milliseconds(12) : milliseconds(40);
  const double bytes_per_s = 4.0 * kFloats / (std::chrono::duration<double>(time).count() / 3);
  Workload work = emulated(comm.size(), {.time = time, .layers = 2, .floats = kFloats, .parameters = 1 << 10},
                           least_warmup(comm.size()));
  const Profile profile = profile_of(comm, work, options.quick ? 1 : 3);
  const Topology topology = uniform_topology(comm.size(), bytes_per_s, profile.topology.levels.front().latency_us);
  const auto linked = over_emulated_links(comm, bytes_per_s);

  const Goal prediction{"prediction", Limit::within, 3};
  Presentation presentation{
      .case_name = "deep",
      .setting =
          fmt::format("Over links: pipedream, messages of 16 KiB that take a third of a stage's {} ms", time.count()),
      .goals = {prediction},
      .what = fmt::format("least depths, w(0) = {}", work.plan.stages.front().warmup)};
  std::vector<Result> results = measure_depths(*linked, options, work, profile, topology, presentation);

  work.plan = with_chosen_depths(comm, work.plan, profile, topology);
  presentation.goals = {{"efficiency", Limit::at_least, 0.97}, prediction};
  presentation.what = fmt::format("chosen depths, w(0) = {}", work.plan.stages.front().warmup);
  for (Result& result : measure_depths(*linked, options, work, profile, topology, presentation)) {
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace pipedream::bench

#include <fmt/format.h>

#include <chrono>

#include "cases.h"
#include "pipeline.h"
#include "world.h"

namespace pipedream::bench {

// Many workers on few cores: what waits must leave the cores to those that have something to do.
std::vector<Result> run_deep(Communicator& comm, const Options& options) {
  using std::chrono::milliseconds;
  const milliseconds time = options.quick ? milliseconds(10) : milliseconds(40);
  const Workload work = emulated(comm.size(), {.time = time, .layers = 2, .floats = 1 << 12, .parameters = 1 << 10},
                                 deeper_warmup(comm.size()));
  const SampleSize size = options.quick ? SampleSize{4, 12, 1} : SampleSize{10, 80, options.samples};
  auto figures = measure_pipeline(comm, work, size);
  if (comm.rank() != 0) return {};
  return {
      {.case_name = "deep",
       .variant = describe_workers(comm, options),
       .setting = fmt::format("{} ms a stage, messages of 16 KiB, warm-up S - s (0 in the last stage)", time.count()),
       .figures = std::move(figures),
       .goal = Goal{"efficiency", true, 0.985}}};
}

}  // namespace pipedream::bench

#include <fmt/format.h>

#include <chrono>

#include "cases.h"
#include "pipeline.h"

namespace pipedream::bench {

// 2 workers, 100 ms a stage, 4 MiB messages. Over a link of 1 Gbit/s one transfer takes a third of that.
std::vector<Result> run_emulated(Communicator& comm, const Options& options) {
  using std::chrono::milliseconds;
  const milliseconds time = options.quick ? milliseconds(10) : milliseconds(100);
  // Microbatches that must be in flight to hide two transfers of a third of the stage's time: 1 + (2 c + T) / T < 3.
  const int depth = 2;
  const std::int64_t floats = options.quick ? 1 << 16 : 1 << 20;
  const Workload work = emulated(comm.size(), {.time = time, .floats = floats, .parameters = 1 << 16}, [&] {
    auto warmup = least_warmup(comm.size());
    for (int& w : warmup) w *= depth;
    return warmup;
  }());
  const SampleSize size = options.quick ? SampleSize{4, 12, 1} : SampleSize{10, 60, options.samples};
  return present(
      comm, options,
      {.case_name = "emulated",
       .setting = fmt::format("{} ms a stage, messages of {} KiB, warm-up 2 (S - 1 - s)", time.count(), floats / 256),
       .goals = {{"efficiency", Limit::at_least, 0.97}}},
      measure_pipeline(comm, work, size));
}

}  // namespace pipedream::bench

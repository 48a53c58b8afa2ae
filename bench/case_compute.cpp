#include "cases.h"
#include "pipeline.h"
#include "world.h"

namespace pipedream::bench {

namespace {

Workload on_device(Workload work, const Options& options) {
  work.device = options.device;
  return work;
}

}  // namespace

std::vector<Result> run_compute_bound(Communicator& comm, const Options& options) {
  const SampleSize size = options.quick ? SampleSize{4, 12, 1} : SampleSize{40, 160, options.samples};
  auto figures = measure_pipeline(comm, on_device(compute_bound(comm.size()), options), size);
  if (comm.rank() != 0) return {};
  return {
      {.case_name = "compute-bound",
       .variant = describe_workers(comm, options),
       .setting =
           "8 blocks Linear(512,2048)-ReLU-Linear(2048,512), microbatch 32, SGD, warm-up S - s (0 in the last stage)",
       .figures = std::move(figures),
       .goal = Goal{"efficiency", true, 0.95}}};
}

std::vector<Result> run_wide(Communicator& comm, const Options& options) {
  const SampleSize size = options.quick ? SampleSize{1, 4, 1} : SampleSize{40, 160, options.samples};
  auto figures = measure_pipeline(comm, on_device(wide(comm.size()), options), size);
  if (comm.rank() != 0) return {};
  return {{.case_name = "wide",
           .variant = describe_workers(comm, options),
           .setting = "8 blocks Linear(4096,16384)-ReLU-Linear(16384,4096), microbatch 256, SGD, warm-up S - s (0 in "
                      "the last stage)",
           .figures = std::move(figures),
           .goal = Goal{"efficiency", true, 0.95}}};
}

std::vector<Result> run_overhead_bound(Communicator& comm, const Options& options) {
  const SampleSize size = options.quick ? SampleSize{200, 400, 1} : SampleSize{2000, 4000, options.samples};
  auto figures = measure_pipeline(comm, on_device(overhead_bound(comm.size()), options), size);
  if (comm.rank() != 0) return {};
  return {{.case_name = "overhead-bound",
           .variant = describe_workers(comm, options),
           .setting = "8 x Linear(64,64)-ReLU, microbatch 8, SGD, warm-up S - s (0 in the last stage)",
           .figures = std::move(figures),
           .goal = Goal{"overhead", false, 30}}};
}

}  // namespace pipedream::bench

#include "cases.h"
#include "pipeline.h"

namespace pipedream::bench {

namespace {

Workload on_device(Workload work, const Options& options) {
  work.device = options.device;
  return work;
}

}  // namespace

std::vector<Result> run_compute_bound(Communicator& comm, const Options& options) {
  const SampleSize size = options.quick ? SampleSize{4, 12, 1} : SampleSize{40, 160, options.samples};
  return present(comm, options,
                 {.case_name = "compute-bound",
                  .setting = "8 blocks Linear(512,2048)-ReLU-Linear(2048,512), microbatch 32, SGD, warm-up S - s (0 in "
                             "the last stage)",
                  .goals = {{"efficiency", Limit::at_least, 0.95}}},
                 measure_pipeline(comm, on_device(compute_bound(comm.size()), options), size));
}

std::vector<Result> run_wide(Communicator& comm, const Options& options) {
  const SampleSize size = options.quick ? SampleSize{1, 4, 1} : SampleSize{40, 160, options.samples};
  return present(comm, options,
                 {.case_name = "wide",
                  .setting = "8 blocks Linear(4096,16384)-ReLU-Linear(16384,4096), microbatch 256, SGD, warm-up S - s "
                             "(0 in the last stage)",
                  .goals = {{"efficiency", Limit::at_least, 0.95}}},
                 measure_pipeline(comm, on_device(wide(comm.size()), options), size));
}

std::vector<Result> run_overhead_bound(Communicator& comm, const Options& options) {
  const SampleSize size = options.quick ? SampleSize{200, 400, 1} : SampleSize{2000, 4000, options.samples};
  return present(comm, options,
                 {.case_name = "overhead-bound",
                  .setting = "8 x Linear(64,64)-ReLU, microbatch 8, SGD, warm-up S - s (0 in the last stage)",
                  .goals = {{"overhead", Limit::at_most, 30}}},
                 measure_pipeline(comm, on_device(overhead_bound(comm.size()), options), size));
}

}  // namespace pipedream::bench

// The measurement that the pipeline cases share: the bound and the pipeline's steady state, one after the other, again
// and again, in one run on the same workers.
#pragma once

#include <string>
#include <vector>

#include "models.h"
#include "options.h"
#include "pipedream/communicator.h"
#include "report.h"

namespace pipedream::bench {

struct SampleSize {
  int bound = 0;     // microbatches that each stage computes alone
  int pipeline = 0;  // microbatches of a run, of which the middle half is the steady state
  int samples = 0;
};

// Collective. Figures, defined in bench/README.md: efficiency, overhead, bound, microbatch; empty on all workers but 0.
std::vector<Figure> measure_pipeline(Communicator& comm, const Workload& work, const SampleSize& size);

}  // namespace pipedream::bench

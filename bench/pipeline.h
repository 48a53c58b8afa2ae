// The measurement that the pipeline cases share: the bound and the pipeline's steady state, one after the other, again
// and again, in one run on the same workers; and how a case presents what it has measured.
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

// Collective, for plans of one stage a worker. Figures, defined in bench/README.md: efficiency, overhead, bound,
// microbatch; empty on all workers but 0.
std::vector<Figure> measure_pipeline(Communicator& comm, const Workload& work, const SampleSize& size);

// Collective, for plans that flush, of any number of stages a worker. Each sample is a run of one whole update.
// Figures: bubble, closed form, difference, update; empty on all workers but 0.
std::vector<Figure> measure_flushes(Communicator& comm, const Workload& work, int samples);

struct Presentation {
  std::string case_name;
  std::string setting;
  std::vector<Goal> goals = {};
  std::string what = "";  // beside how many workers there are, and of which kind
};

// The case's result, on worker 0; nothing elsewhere.
std::vector<Result> present(const Communicator& comm, const Options& options, const Presentation& presentation,
                            std::vector<Figure> figures);

}  // namespace pipedream::bench

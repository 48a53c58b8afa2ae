#include "pipeline.h"

#include <algorithm>

#include "bound.h"
#include "pipedream/timeline.h"
#include "pipedream/trainer.h"

namespace pipedream::bench {

std::vector<Figure> measure_pipeline(Communicator& comm, const Workload& work, const SampleSize& size) {
  Trainer trainer(work.graph, work.plan, comm, {.optimizer = sgd({.learning_rate = 0.01})});
  PlainStage plain(work, trainer.stage());
  const TrainOptions options{.steps = size.pipeline, .microbatch_size = work.microbatch_size, .shuffle = false};

  // What allocates and loads at its first call does it now.
  bound_us(comm, plain, std::max(1, size.bound / 2));
  trainer.train(*work.data, options);

  std::vector<double> bounds;
  std::vector<double> times;
  for (int i = 0; i < size.samples; ++i) {
    bounds.push_back(bound_us(comm, plain, size.bound));
    trainer.train(*work.data, options);
    times.push_back(summarize(trainer.timeline(), work.plan).microbatch_us);
  }
  if (comm.rank() != 0) return {};
  return {{"efficiency", "", ratios(bounds, times)},
          {"overhead", "us", differences(times, bounds)},
          {"bound", "us", bounds},
          {"microbatch", "us", times}};
}

}  // namespace pipedream::bench

#include "pipeline.h"

#include <algorithm>

#include "bound.h"
#include "pipedream/timeline.h"
#include "pipedream/trainer.h"
#include "transport/device.h"

namespace pipedream::bench {

namespace {

// The steady state. A device's work is not done when the host's actions are: there it is what twice as many
// microbatches take longer.
double steady_microbatch_us(Trainer& trainer, const Workload& work, TrainOptions options) {
  const double seconds = trainer.train(*work.data, options).seconds;
  if (work.device.is_cpu()) return summarize(trainer.timeline(), work.plan).microbatch_us;
  const auto microbatches = static_cast<double>(options.steps);
  options.steps *= 2;
  return (trainer.train(*work.data, options).seconds - seconds) / microbatches * 1e6;
}

}  // namespace

std::vector<Figure> measure_pipeline(Communicator& comm, const Workload& given, const SampleSize& size) {
  Workload work = given;
  work.device = detail::resolve_device(given.device, comm);
  const detail::StreamScope stream(detail::make_stream(work.device));
  Trainer trainer(work.graph, work.plan, comm, {.optimizer = sgd({.learning_rate = 0.01}), .device = work.device});
  PlainStage plain(work, trainer.stages().front());
  const TrainOptions options{.steps = size.pipeline, .microbatch_size = work.microbatch_size, .shuffle = false};

  // What allocates and loads at its first call does it now.
  bound_us(comm, plain, std::max(1, size.bound / 2));
  trainer.train(*work.data, options);

  std::vector<double> bounds;
  std::vector<double> times;
  for (int i = 0; i < size.samples; ++i) {
    bounds.push_back(bound_us(comm, plain, size.bound));
    times.push_back(steady_microbatch_us(trainer, work, options));
  }
  if (comm.rank() != 0) return {};
  return {{"efficiency", "", ratios(bounds, times)},
          {"overhead", "us", differences(times, bounds)},
          {"bound", "us", bounds},
          {"microbatch", "us", times}};
}

}  // namespace pipedream::bench

#include "pipeline.h"

#include <algorithm>

#include "bound.h"
#include "pipedream/algorithm.h"
#include "pipedream/schedule.h"
#include "pipedream/timeline.h"
#include "pipedream/trainer.h"
#include "transport/device.h"
#include "world.h"

namespace pipedream::bench {

namespace {

TrainerOptions trainer_options(torch::Device device) {
  return {.optimizer = sgd({.learning_rate = 0.01}), .device = device};
}

TrainOptions run_of(const Workload& work, std::int64_t microbatches) {
  return {.steps = microbatches, .microbatch_size = work.microbatch_size, .shuffle = false};
}

// The steady state. A device's work is not done when the host's actions are: there it is what twice as many
// microbatches take longer.
double steady_microbatch_us(Trainer& trainer, const Workload& work, TrainOptions options) {
  const double seconds = trainer.train(*work.data, options).seconds;
  if (work.device.is_cpu()) return summarize(trainer.timeline(), work.plan).microbatch_us;
  const auto microbatches = static_cast<double>(options.steps);
  options.steps *= 2;
  return (trainer.train(*work.data, options).seconds - seconds) / microbatches * 1e6;
}

// Of a pipeline whose workers take equally long for a microbatch, and whose messages and updates take no time.
double closed_form_bubble(const Plan& plan) {
  const double workers = plan.workers();
  const double stages_of_worker = static_cast<double>(plan.stages.size()) / workers;
  const auto microbatches = static_cast<double>(microbatches_per_update(plan, 0));
  return (workers - 1) / (stages_of_worker * microbatches + workers - 1);
}

}  // namespace

std::vector<Figure> measure_pipeline(Communicator& comm, const Workload& given, const SampleSize& size) {
  Workload work = given;
  work.device = detail::resolve_device(given.device, comm);
  const detail::StreamScope stream(detail::make_stream(work.device));
  Trainer trainer(work.graph, work.plan, comm, trainer_options(work.device));
  PlainStage plain(work, trainer.stages().front());
  const TrainOptions options = run_of(work, size.pipeline);

  // What allocates and loads at its first call does it now.
  bound_us(comm, plain, std::max(1, size.bound / 2));
  trainer.train(*work.data, run_of(work, std::max(1, size.pipeline / 2)));

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

std::vector<Figure> measure_flushes(Communicator& comm, const Workload& work, int samples) {
  Trainer trainer(work.graph, work.plan, comm, trainer_options(work.device));
  const std::int64_t update = microbatches_per_update(work.plan, 0);
  trainer.train(*work.data, run_of(work, std::max<std::int64_t>(1, update / 2)));

  std::vector<double> bubbles;
  std::vector<double> times;
  for (int i = 0; i < samples; ++i) {
    trainer.train(*work.data, run_of(work, update));
    const TimelineFigures figures = summarize(trainer.timeline(), work.plan);
    bubbles.push_back(figures.bubble);
    times.push_back(figures.span_us);
  }
  if (comm.rank() != 0) return {};
  const std::vector<double> closed_forms(bubbles.size(), closed_form_bubble(work.plan));
  return {{"bubble", "", bubbles},
          {"closed form", "", closed_forms},
          {"difference", "%", deviations(bubbles, closed_forms)},
          {"update", "us", times}};
}

std::vector<Result> present(const Communicator& comm, const Options& options, const Presentation& presentation,
                            std::vector<Figure> figures) {
  if (comm.rank() != 0) return {};
  const std::string workers = describe_workers(comm, options);
  return {{.case_name = presentation.case_name,
           .variant = presentation.what.empty() ? workers : presentation.what + ", " + workers,
           .setting = presentation.setting,
           .figures = std::move(figures),
           .goals = presentation.goals}};
}

}  // namespace pipedream::bench

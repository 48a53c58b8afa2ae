// profile, train, evaluate and verify.
#include <fmt/format.h>

#include <optional>

#include "app/agree.h"
#include "app/losses.h"
#include "app/optimizer_options.h"
#include "app/progress.h"
#include "app/report.h"
#include "app/run_report.h"
#include "app/session.h"
#include "app/signals.h"
#include "pipedream/compare.h"
#include "pipedream/trainer.h"
#include "pipedream/verify.h"

namespace pipedream::detail {
namespace {

std::int64_t microbatches_per_epoch(const Options& options, const Dataset& data) {
  return (data.size() + options.microbatch_size - 1) / options.microbatch_size;
}

TrainerOptions trainer_options(const Options& options, const Dataset& data) {
  OptimizerSpec optimizer = options.optimizer;
  complete(optimizer.schedule,
           options.steps > 0 ? options.steps : options.epochs * microbatches_per_epoch(options, data));
  return {.optimizer = optimizer,
          .corrections = options.correction_specs(),
          .seed = options.seed,
          .device = options.device,
          .threads_per_worker = options.threads_per_worker,
          .deadline = options.deadline(),
          .measure_memory = options.command == Command::train};
}

void check_outputs(const Session& session) {
  const Options& options = session.options;
  if (session.comm.rank() != 0) return;  // the only one that writes
  check_output("--output", options.output);
  check_output("--report", options.report);
  check_output("--recalibrate", options.recalibrate);
  check_output("--trace", options.trace);
  check_output("--losses", options.losses);
  check_output("--staleness", options.staleness);
  check_output("--save-initial", options.save_initial);
  check_output("--save-weights", options.save_weights);
}

TrainResult train_model(Session& session, Trainer& trainer, const Dataset& data) {
  const Options& options = session.options;
  const std::int64_t per_epoch = microbatches_per_epoch(options, data);
  // Made on the one worker that is asked to report.
  std::optional<ProgressPrinter> printer;
  const TrainResult result =
      trainer.train(data, {.epochs = options.epochs,
                           .steps = options.steps,
                           .segments = options.segments,
                           .microbatch_size = options.microbatch_size,
                           .shuffle = options.shuffle,
                           .on_progress =
                               [&](const TrainProgress& progress) {
                                 if (!printer) printer.emplace(stdout, output_is_terminal(session.launched), per_epoch);
                                 printer->show(progress);
                               },
                           .staleness = options.staleness.empty() ? StalenessTelemetry::off
                                        : options.distances       ? StalenessTelemetry::distances
                                                                  : StalenessTelemetry::versions,
                           .stop_requested = stop_requested});
  // The bar's line ends before another worker prints.
  printer.reset();
  session.comm.barrier();
  return result;
}

// Before anything else is computed: what was trained is worth more than what is said about it.
void save_results(Session& session, Trainer& trainer, const TrainResult& result, const Timeline& timeline,
                  std::int64_t rows) {
  const Options& options = session.options;
  if (!options.save_weights.empty()) trainer.save_weights(options.save_weights);
  agreed(session.comm, [&] {
    if (session.comm.rank() != 0) return;
    if (!options.staleness.empty()) write_staleness(options.staleness, result);
    if (!options.losses.empty()) write_losses(options.losses, result, rows, options.microbatch_size);
    if (!options.trace.empty()) write_chrome_trace(timeline, trainer.plan(), options.trace, result.staleness);
  });
}

// On the one worker that prints and writes.
void report_run(Session& session, const FinishedRun& run, const std::optional<EvaluationResult>& test) {
  const Options& options = session.options;
  agreed(session.comm, [&] {
    if (session.comm.rank() != 0) return;
    RunReport report = make_report(options, run);
    if (test) add_scores(report, *test);
    session.console.print("\n{}", describe_run(report, run.obtained.profile));
    if (!options.report.empty()) write_report(report, options.report);
    if (options.recalibrate.empty()) return;
    write_profile(recalibrated(*run.obtained.profile, report.plan, report.measured.stages), options.recalibrate);
  });
}

}  // namespace

int run_profile(Session& session) {
  const Options& options = session.options;
  const LayerGraph graph = agreed(session.comm, [&] { return session.model.graph(); });
  const auto data = agreed(session.comm, [&] { return session.model.train(); });
  agreed(session.comm, [&] { check_outputs(session); });
  const Profile measured = measure(session, graph, *data);
  session.console.print("{}", describe_profile(measured));
  if (options.output.empty()) return 0;
  agreed(session.comm, [&] {
    if (session.comm.rank() == 0) write_profile(measured, options.output);
  });
  session.console.print("wrote {}\n", options.output.string());
  return 0;
}

int run_train(Session& session) {
  const Options& options = session.options;
  const LayerGraph graph = agreed(session.comm, [&] { return session.model.graph(); });
  const auto data = agreed(session.comm, [&] { return session.model.train(); });
  const auto test = agreed(session.comm, [&] { return session.model.has_test() ? session.model.test() : nullptr; });
  agreed(session.comm, [&] { check_outputs(session); });
  const ObtainedPlan obtained = obtain_plan(session, graph, *data);
  session.console.print("{}", describe_plan(obtained.plan, options.microbatch_size));

  Trainer trainer(graph, obtained.plan, session.comm, trainer_options(options, *data));
  if (!options.initial_weights.empty()) trainer.load_weights(options.initial_weights);
  if (!options.save_initial.empty()) trainer.save_weights(options.save_initial);
  const TrainResult result = train_model(session, trainer, *data);
  session.console.print("{}", describe_training(result));

  const Timeline timeline = trainer.timeline();
  save_results(session, trainer, result, timeline, data->size());
  const std::vector<RuntimeCounters> counters = trainer.counters_of_workers();
  std::optional<EvaluationResult> evaluation;
  // Who asked for the end does not want to wait for a figure.
  if (test && !result.stopped) {
    evaluation = trainer.evaluate(*test, options.microbatch_size);
    session.console.print("{}", describe_evaluation(*evaluation));
  }
  report_run(session, {obtained, result, timeline, counters}, evaluation);
  return result.stopped ? kExitStopped : 0;
}

int run_evaluate(Session& session) {
  const Options& options = session.options;
  const LayerGraph graph = agreed(session.comm, [&] { return session.model.graph(); });
  const auto test = agreed(session.comm, [&] { return session.model.test(); });
  const Plan plan = agreed(session.comm, [&] {
    if (!options.plan.empty()) return read_checked_plan(session, graph);
    return single_stage_plan(graph.layer_names(), session.comm.size(), Algorithm::data_parallel);
  });
  Trainer trainer(graph, plan, session.comm, trainer_options(options, *test));
  trainer.load_weights(options.weights);
  session.console.print("{}", describe_evaluation(trainer.evaluate(*test, options.microbatch_size)));
  return 0;
}

int run_verify(Session& session) {
  const Options& options = session.options;
  constexpr std::int64_t kMicrobatches = 16;
  const LayerGraph graph = agreed(session.comm, [&] { return session.model.graph(); });
  const auto data = agreed(session.comm, [&] { return session.model.train(); });
  const Plan plan = obtain_plan(session, graph, *data).plan;
  session.console.print("{}", describe_plan(plan, options.microbatch_size));
  const bool is_exact = options.device.is_cpu() && options.threads_per_worker == 1;
  const VerifyReport report = verify(graph, plan, *data, session.comm,
                                     {.trainer = trainer_options(options, *data),
                                      .corrections = options.corrections,
                                      .microbatches = options.steps > 0 ? options.steps : kMicrobatches,
                                      .microbatch_size = options.microbatch_size,
                                      .shuffle = options.shuffle,
                                      .tolerance = options.tolerance.value_or(is_exact ? 0 : 1e-5)});
  session.console.print("{}", describe_verification(report, plan));
  return report.passed() ? 0 : kExitCheckFailed;
}

}  // namespace pipedream::detail

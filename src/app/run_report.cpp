#include "app/run_report.h"

#include "partitioner/compare_table.h"
#include "pipedream/compare.h"

namespace pipedream::detail {
namespace {

Plan plan_that_ran(const Options& options, const Plan& plan) {
  if (options.segments.empty()) return plan;
  Plan ran = plan;
  const TrainSegment& last = options.segments.back();
  if (last.microbatches_per_update > 0) ran.microbatches_per_update = last.microbatches_per_update;
  return with_algorithm(ran, last.algorithm);
}

// A part of a run is short, and was not what the plan was made for.
RunFigures predicted_figures(const RunReport& report, const ObtainedPlan& obtained, bool has_segments) {
  if (has_segments) return {};
  if (!obtained.profile) return planned_figures(report.plan);
  return simulated_figures(report.plan, *obtained.profile, obtained.topology, report.state_factors,
                           report.microbatches);
}

void add_workers(RunReport& report, const TimelineFigures& figures, const std::vector<RuntimeCounters>& workers) {
  for (std::size_t w = 0; w < workers.size(); ++w) {
    report.workers.push_back({.utilisation = figures.utilisation[w],
                              .peak_versions = workers[w].peak_versions,
                              .peak_in_flight = workers[w].peak_in_flight,
                              .updates = workers[w].updates});
    report.measured.peak_bytes.push_back(workers[w].peak_bytes);
  }
}

}  // namespace

RunReport make_report(const Options& options, const FinishedRun& run) {
  RunReport report{.plan = plan_that_ran(options, run.obtained.plan),
                   .microbatch_size = options.microbatch_size,
                   .microbatches = run.result.microbatches,
                   .samples = run.result.samples,
                   .seconds = run.result.seconds,
                   .state_factors = state_factors_of(options, run.obtained.plan.algorithm),
                   .topology = run.obtained.topology};
  report.predicted = predicted_figures(report, run.obtained, !options.segments.empty());
  const TimelineFigures figures = summarize(run.timeline, report.plan);
  report.measured = {.microbatch_us = figures.microbatch_us, .bubble = figures.bubble, .stages = figures.stages};
  add_workers(report, figures, run.workers);
  report.scores.push_back({"loss", run.result.mean_loss});
  return report;
}

void add_scores(RunReport& report, const EvaluationResult& test) {
  report.scores.push_back({"test loss", test.loss});
  for (const auto& [name, value] : test.metrics) report.scores.push_back({"test " + name, value});
}

std::string describe_run(const RunReport& report, const std::optional<Profile>& profile) {
  std::optional<Explanation> explanation;
  if (profile && !report.predicted.stages.empty()) explanation = explain(report, *profile);
  return comparison_table(report, explanation);
}

}  // namespace pipedream::detail

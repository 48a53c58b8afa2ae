// A run that has ended, as the report that is printed and written of it.
#pragma once

#include <optional>

#include "app/session.h"
#include "pipedream/run_report.h"
#include "pipedream/timeline.h"
#include "pipedream/trainer.h"

namespace pipedream::detail {

struct FinishedRun {
  const ObtainedPlan& obtained;
  const TrainResult& result;
  const Timeline& timeline;  // of the last segment
  const std::vector<RuntimeCounters>& workers;
};

// Of what was trained under several algorithms, the last one. Predictions are of the plan's own.
RunReport make_report(const Options& options, const FinishedRun& run);

void add_scores(RunReport& report, const EvaluationResult& test);

// The table of `pipedream compare`, with what was off where the run's profile is known.
std::string describe_run(const RunReport& report, const std::optional<Profile>& profile);

}  // namespace pipedream::detail

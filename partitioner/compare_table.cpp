#include "partitioner/compare_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "partitioner/units.h"
#include "planning/text_table.h"

namespace pipedream {
namespace {

using Row = detail::TableRow;

// Lines of the greatest effects; smaller ones explain nothing.
constexpr std::size_t kMostInputs = 4;

std::string known_us(double us) { return us > 0 ? detail::format_microseconds(us) : "-"; }

std::string known_bytes(std::int64_t bytes) { return bytes > 0 ? detail::format_bytes(bytes) : "-"; }

std::string signed_percent(double share) { return fmt::format("{:+.1f}%", 100 * share); }

// Each worker's share, or the least and the greatest where a line would not hold them.
std::string busy_workers(const StagePlan& stage, const std::vector<WorkerCounts>& workers) {
  constexpr std::size_t kMostListed = 3;
  std::vector<double> percent;
  for (const int worker : stage.workers) {
    percent.push_back(100 * workers[static_cast<std::size_t>(worker)].utilisation);
  }
  if (percent.size() > kMostListed) {
    const auto [least, greatest] = std::minmax_element(percent.begin(), percent.end());
    return fmt::format("{} of them: {:.0f}% to {:.0f}%", percent.size(), *least, *greatest);
  }
  std::vector<std::string> busy;
  for (std::size_t i = 0; i < percent.size(); ++i) {
    busy.push_back(fmt::format("{}: {:.0f}%", stage.workers[i], percent[i]));
  }
  return fmt::format("{}", fmt::join(busy, ", "));
}

StageFigures figures_of(const RunFigures& figures, std::size_t stage) {
  return stage < figures.stages.size() ? figures.stages[stage] : StageFigures{};
}

// Of the stage's worker that holds most.
std::int64_t bytes_of(const RunFigures& figures, const StagePlan& stage) {
  std::int64_t most = 0;
  for (const int worker : stage.workers) {
    if (figures.peak_bytes.empty()) break;
    most = std::max(most, figures.peak_bytes[static_cast<std::size_t>(worker)]);
  }
  return most;
}

std::string times_table(const RunReport& report) {
  std::vector<Row> rows{
      {"stage", "forward", "(predicted)", "backward", "(predicted)", "update", "staleness", "busy workers"}};
  for (std::size_t s = 0; s < report.plan.stages.size(); ++s) {
    const StageFigures measured = figures_of(report.measured, s);
    const StageFigures predicted = figures_of(report.predicted, s);
    rows.push_back({fmt::format("{}", s), known_us(measured.forward_us), known_us(predicted.forward_us),
                    known_us(measured.backward_us), known_us(predicted.backward_us), known_us(measured.update_us),
                    fmt::format("{:.2f}", measured.staleness), busy_workers(report.plan.stages[s], report.workers)});
  }
  return detail::text_table(rows, 1);
}

std::string memory_table(const RunReport& report) {
  std::vector<Row> rows{{"stage", "memory", "(predicted)", "off by", "versions", "in flight"}};
  for (std::size_t s = 0; s < report.plan.stages.size(); ++s) {
    const StagePlan& stage = report.plan.stages[s];
    const std::int64_t measured = bytes_of(report.measured, stage);
    const std::int64_t predicted = bytes_of(report.predicted, stage);
    WorkerCounts most;
    for (const int worker : stage.workers) {
      const WorkerCounts& counts = report.workers[static_cast<std::size_t>(worker)];
      most.peak_versions = std::max(most.peak_versions, counts.peak_versions);
      most.peak_in_flight = std::max(most.peak_in_flight, counts.peak_in_flight);
    }
    const bool both = measured > 0 && predicted > 0;
    rows.push_back(
        {fmt::format("{}", s), known_bytes(measured), known_bytes(predicted),
         both ? signed_percent(static_cast<double>(predicted) / static_cast<double>(measured) - 1) : std::string("-"),
         fmt::format("{}", most.peak_versions), fmt::format("{}", most.peak_in_flight)});
  }
  return detail::text_table(rows, 1);
}

std::string summary(const RunReport& report) {
  const double predicted = report.predicted.microbatch_us;
  const double measured = report.measured.microbatch_us;
  std::string text =
      fmt::format("time of a microbatch: predicted {}, measured {}", known_us(predicted), known_us(measured));
  if (predicted > 0 && measured > 0) text += fmt::format(" (off by {})", signed_percent(predicted / measured - 1));
  text += "; bubble: ";
  if (report.predicted.bubble > 0) text += fmt::format("predicted {:.1f}%, ", 100 * report.predicted.bubble);
  return text + fmt::format("measured {:.1f}%\n", 100 * report.measured.bubble);
}

std::string causes(const Explanation& explanation) {
  std::vector<Row> rows{{"what was off", "predicted", "measured", "makes a microbatch"}};
  const auto share = [&](double us) { return signed_percent(us / explanation.predicted_us); };
  for (std::size_t i = 0; i < std::min(kMostInputs, explanation.inputs.size()); ++i) {
    const InputError& input = explanation.inputs[i];
    rows.push_back({input.input, known_us(input.predicted_us), known_us(input.measured_us), share(input.effect_us)});
  }
  rows.push_back({"all stage times", known_us(explanation.predicted_us), known_us(explanation.corrected_us),
                  share(explanation.corrected_us - explanation.predicted_us)});
  rows.push_back({"links, waits, the host", "", "", share(explanation.measured_us - explanation.corrected_us)});
  return detail::text_table(rows, 1);
}

}  // namespace

std::string comparison_table(const RunReport& report, const std::optional<Explanation>& explanation) {
  std::string text = times_table(report) + "\n" + memory_table(report) + "\n" + summary(report);
  if (explanation && explanation->predicted_us > 0) text += "\n" + causes(*explanation);
  return text;
}

}  // namespace pipedream

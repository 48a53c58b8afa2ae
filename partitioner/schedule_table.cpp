#include "partitioner/schedule_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "partitioner/plan_table.h"
#include "partitioner/units.h"
#include "planning/text_table.h"

namespace pipedream {
namespace {

std::vector<std::string> staleness_of(const std::vector<int>& stages, const TimelineFigures& figures) {
  std::vector<std::string> staleness;
  for (const int s : stages) {
    staleness.push_back(fmt::format("{:.2f}", figures.stages[static_cast<std::size_t>(s)].staleness));
  }
  return staleness;
}

}  // namespace

std::string schedule_title(const Plan& plan, const Segment& segment) {
  return fmt::format("{}; {}", plan_title(plan), count_of(segment.microbatches, "microbatch"));
}

std::string schedule_table(const Plan& plan, const ValidationReport& proof, const TimelineFigures& figures) {
  std::vector<detail::TableRow> rows = {{"worker", "stage", "in flight", "versions", "staleness", "busy"}};
  for (std::size_t w = 0; w < proof.peak_versions.size(); ++w) {
    const std::vector<int> stages = plan.stages_of_worker(static_cast<int>(w));
    rows.push_back({fmt::format("{}", w), fmt::format("{}", fmt::join(stages, ",")),
                    fmt::format("{}", proof.peak_in_flight[w]), fmt::format("{}", proof.peak_versions[w]),
                    fmt::format("{}", fmt::join(staleness_of(stages, figures), ",")),
                    fmt::format("{:.1f}%", 100 * figures.utilisation[w])});
  }
  return detail::text_table(rows, 2) +
         fmt::format("\nbubble {:.1f}% of {}\n", 100 * figures.bubble, detail::format_microseconds(figures.span_us));
}

}  // namespace pipedream

#include "partitioner/schedule_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "partitioner/plan_table.h"
#include "partitioner/units.h"
#include "planning/text_table.h"

namespace pipedream {
namespace {

struct Hosted {
  std::vector<std::size_t> stages;
  std::vector<std::string> staleness;
};

Hosted hosted_by(int worker, const Plan& plan, const TimelineFigures& figures) {
  Hosted hosted;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const std::vector<int>& workers = plan.stages[s].workers;
    if (std::find(workers.begin(), workers.end(), worker) == workers.end()) continue;
    hosted.stages.push_back(s);
    hosted.staleness.push_back(fmt::format("{:.2f}", figures.stages[s].staleness));
  }
  return hosted;
}

}  // namespace

std::string schedule_title(const Plan& plan, const Segment& segment) {
  return fmt::format("{}; {}", plan_title(plan), count_of(segment.microbatches, "microbatch"));
}

std::string schedule_table(const Plan& plan, const ValidationReport& proof, const TimelineFigures& figures) {
  std::vector<detail::TableRow> rows = {{"worker", "stage", "in flight", "versions", "staleness", "busy"}};
  for (std::size_t w = 0; w < proof.peak_versions.size(); ++w) {
    const Hosted hosted = hosted_by(static_cast<int>(w), plan, figures);
    rows.push_back({fmt::format("{}", w), fmt::format("{}", fmt::join(hosted.stages, ",")),
                    fmt::format("{}", proof.peak_in_flight[w]), fmt::format("{}", proof.peak_versions[w]),
                    fmt::format("{}", fmt::join(hosted.staleness, ",")),
                    fmt::format("{:.1f}%", 100 * figures.utilisation[w])});
  }
  return detail::text_table(rows, 2) +
         fmt::format("\nbubble {:.1f}% of {}\n", 100 * figures.bubble, detail::format_microseconds(figures.span_us));
}

}  // namespace pipedream

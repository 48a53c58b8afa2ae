#include "partitioner/depth_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "partitioner/units.h"
#include "planning/text_table.h"

namespace pipedream {
namespace {

// "6,4,2,0", of many stages "30,28,..,2,0".
std::string by_stage(const std::vector<int>& values) {
  constexpr std::size_t kMost = 8;
  if (values.size() <= kMost) return fmt::format("{}", fmt::join(values, ","));
  return fmt::format("{},{},..,{},{}", values[0], values[1], values[values.size() - 2], values.back());
}

}  // namespace

std::string depth_table(const std::vector<DepthStep>& steps) {
  const bool delays = std::any_of(steps.begin(), steps.end(), [](const DepthStep& step) {
    return std::any_of(step.reduce_delay.begin(), step.reduce_delay.end(), [](int d) { return d > 0; });
  });
  std::vector<detail::TableRow> rows = {{"depths by simulation", "warm-up"}};
  if (delays) rows[0].emplace_back("delay");
  rows[0].insert(rows[0].end(), {"per microbatch", "memory"});
  for (const DepthStep& step : steps) {
    detail::TableRow row = {step.what, by_stage(step.warmup)};
    if (delays) row.push_back(by_stage(step.reduce_delay));
    row.push_back(detail::format_microseconds(step.microbatch_us));
    row.push_back(detail::format_bytes(step.memory_bytes));
    rows.push_back(std::move(row));
  }
  return detail::text_table(rows, delays ? 3 : 2);
}

}  // namespace pipedream

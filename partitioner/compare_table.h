// What was predicted of a run beside what it measured, as text.
#pragma once

#include <optional>
#include <string>

#include "pipedream/compare.h"
#include "pipedream/run_report.h"

namespace pipedream {

// Times, staleness and workers by stage, memory by stage, then the run as a whole. explanation: which input was off;
// without it, only what was off.
std::string comparison_table(const RunReport& report, const std::optional<Explanation>& explanation);

}  // namespace pipedream

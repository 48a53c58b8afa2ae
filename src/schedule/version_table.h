// Which weights a microbatch meets in a stage: the version table of docs/algorithms.md as three numbers.
//
// Versions count from the start of the segment.
#pragma once

#include <algorithm>
#include <cstdint>

#include "pipedream/plan.h"

namespace pipedream::detail {

// version(k) = max(0, floor(k / step) - lag) * step / per_update, rounded down: the updates, of `per_update`
// microbatches each, that are complete when all steps, of `step` microbatches each, but the latest `lag` are.
struct VersionTable {
  std::int64_t step = 1;
  std::int64_t per_update = 1;
  std::int64_t lag = 0;

  std::int64_t version(std::int64_t microbatch) const {
    return std::max(std::int64_t{0}, microbatch / step - lag) * step / per_update;
  }
  // The least microbatch that uses this version or a later one.
  std::int64_t first_microbatch(std::int64_t version) const {
    return version == 0 ? 0 : ((version * per_update + step - 1) / step + lag) * step;
  }
};

// The same for both, except on one copy of the weights.
struct VersionTables {
  VersionTable forward;
  VersionTable backward;
};

VersionTables version_tables(const Plan& plan, int stage);

}  // namespace pipedream::detail

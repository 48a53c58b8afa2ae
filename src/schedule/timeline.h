// What the readers of a timeline share.
#pragma once

#include "pipedream/timeline.h"

namespace pipedream::detail {

// Throws ConfigError unless the timeline has the plan's workers.
void check_workers(const Timeline& timeline, const Plan& plan);

inline bool is_compute(ActionKind kind) {
  return kind == ActionKind::forward || kind == ActionKind::backward || kind == ActionKind::update;
}

}  // namespace pipedream::detail

// Timelines written by hand.
#pragma once

#include "pipedream/timeline.h"

namespace pipedream::testing {

inline TimelineEvent event(const char* action, std::int64_t start_us, std::int64_t end_us) {
  return {parse_action(action), 1000 * start_us, 1000 * end_us};
}

}  // namespace pipedream::testing

// What the pictures of a timeline have in common.
#pragma once

#include <string>
#include <vector>

#include "pipedream/plan.h"
#include "pipedream/timeline.h"

namespace pipedream::detail {

struct Lane {
  std::string label;
  std::vector<TimelineEvent> boxes;  // forwards, backwards and updates, in order of start
};

// Times count from the first of the boxes.
struct Picture {
  std::vector<Lane> lanes;  // by worker
  std::int64_t span_ns = 0;
  bool shows_versions = false;
  bool shows_stages = false;

  // "F3", "B3", "U".
  std::string label(const Action& action) const;
  // "v2", "s1", "s1v2"; empty where neither is shown.
  std::string detail(const Action& action) const;
};

// Throws ConfigError unless the timeline has the plan's workers.
Picture picture_of(const Timeline& timeline, const Plan& plan);

}  // namespace pipedream::detail

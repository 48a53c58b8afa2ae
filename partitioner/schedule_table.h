// The figures of a schedule for people.
#pragma once

#include <string>

#include "pipedream/schedule.h"
#include "pipedream/timeline.h"
#include "pipedream/validate.h"

namespace pipedream {

// "pipedream: 4 stages on 4 workers; 8 microbatches".
std::string schedule_title(const Plan& plan, const Segment& segment);

// One line a worker: what it held at most, by how many updates its weights were behind on average, how busy it was;
// then what all of them idled.
std::string schedule_table(const Plan& plan, const ValidationReport& proof, const TimelineFigures& figures);

}  // namespace pipedream

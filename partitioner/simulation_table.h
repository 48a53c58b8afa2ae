// A simulation's figures as a table for people and as JSON for programs.
#pragma once

#include <string>

#include "pipedream/simulate.h"

namespace pipedream {

// One line a stage (means over its workers; the greatest of what they hold), then times and what limits them.
std::string simulation_table(const SimulationReport& report, const Plan& plan, const Segment& segment);

// "format": "pipedream-simulation": the report's fields, without the timeline.
std::string simulation_json(const SimulationReport& report, const Segment& segment);

}  // namespace pipedream

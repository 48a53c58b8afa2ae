// Pictures of a timeline, measured or simulated: what each worker computed when, as text or as a drawing (SVG).
//
// Both show forwards, backwards and updates only. A microbatch stands with its version where the plan's algorithm may
// use another one than the newest, and with its stage where a worker has several. The same values give the same bytes.
// Both throw ConfigError unless the timeline has the plan's workers.
#pragma once

#include <cstdint>
#include <string>

#include "pipedream/plan.h"
#include "pipedream/timeline.h"

namespace pipedream {

// The duration of the shortest forward or backward that takes time; 1 without any. As the unit of a grid it lets each
// of them have a column.
std::int64_t shortest_pass_ns(const Timeline& timeline);

// A grid with a column for each unit of time: under a line of column numbers a line for each worker, and one below it
// for versions and stages where they are shown.
//
//   time      0  1  2  3  4  5  6
//   worker 0  F0 F1 .  .  B0---|F2
//             v0 v0       v0    v1
//   worker 1  .  F0 B0---|F1 B1---|
//                v0 v0    v1 v1
//
//   F3, B3: forward and backward of microbatch 3; v2: weights of version 2; |: update; .: idle
//
// Starts and ends are rounded to whole columns; "|" is one update or more that take less than that. Throws ConfigError
// unless unit_ns >= 1, and for more than 10,000 columns.
std::string draw_text(const Timeline& timeline, const Plan& plan, std::int64_t unit_ns);

// A whole SVG file that needs no other: a lane for each worker, to scale, with a time axis and a legend. Where the
// pointer rests on a box, its action and times show; on a lane's name, the layers. Boxes too narrow for their label
// have none.
std::string draw_svg(const Timeline& timeline, const Plan& plan, const std::string& title);

}  // namespace pipedream

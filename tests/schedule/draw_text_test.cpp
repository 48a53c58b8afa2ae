#include <catch2/catch.hpp>

#include "events.h"
#include "pipedream/draw.h"
#include "pipedream/error.h"
#include "plans.h"

namespace pipedream {
namespace {

using testing::event;
using testing::make_plan;
using testing::straight_pipedream;

constexpr std::int64_t kMicrosecond = 1000;

// Two stages, forward 1 us, backward 2 us, the rest takes no time.
Timeline unit_stages() {
  Timeline timeline;
  timeline.workers = {{event("F0.0@v0", 0, 1), event("S0>1.0", 1, 1), event("F0.1@v0", 1, 2), event("r1>0.0", 2, 4),
                       event("B0.0@v0", 4, 6), event("U0.0@v1+", 6, 6), event("F0.2@v1", 6, 7), event("B0.1@v0-", 7, 9),
                       event("U0.1@v2", 9, 9), event("B0.2@v1", 10, 12), event("U0.2@v3", 12, 12)},
                      {event("r0>1.0", 0, 1), event("F1.0@v0", 1, 2), event("B1.0@v0", 2, 4), event("U1.0@v1", 4, 4),
                       event("F1.1@v1", 4, 5), event("B1.1@v1", 5, 7), event("U1.1@v2", 7, 7), event("F1.2@v2", 7, 8),
                       event("B1.2@v2", 8, 10), event("U1.2@v3", 10, 10)}};
  return timeline;
}

constexpr const char* kLegend = "\nF3, B3: forward and backward of microbatch 3; |: update; .: idle\n";
constexpr const char* kLegendOfVersions =
    "\nF3, B3: forward and backward of microbatch 3; v2: weights of version 2; |: update; .: idle\n";

}  // namespace

TEST_CASE("a grid has a column a unit, with versions where they may be old") {
  CHECK(draw_text(unit_stages(), straight_pipedream(2), kMicrosecond) ==
        "time      0  1  2  3  4  5  6  7  8  9  10 11\n"
        "worker 0  F0 F1 .  .  B0---|F2 B1---|.  B2---|\n"
        "          v0 v0       v0    v1 v0       v1\n"
        "worker 1  .  F0 B0---|F1 B1---|F2 B2---|.  .\n"
        "             v0 v0    v1 v1    v2 v2\n" +
            std::string(kLegendOfVersions));
}

TEST_CASE("the grid of an algorithm that flushes has no versions") {
  CHECK(draw_text(unit_stages(), make_plan(Algorithm::gpipe, {1, 1}), kMicrosecond) ==
        "time      0  1  2  3  4  5  6  7  8  9  10 11\n"
        "worker 0  F0 F1 .  .  B0---|F2 B1---|.  B2---|\n"
        "worker 1  .  F0 B0---|F1 B1---|F2 B2---|.  .\n" +
            std::string(kLegend));
}

TEST_CASE("stages are named where the worker's number does not tell them") {
  Timeline timeline;
  timeline.workers = {{event("F0.0@v0", 0, 1)}, {event("F0.1@v0", 0, 1)}, {event("F1.0@v0", 1, 2)}};
  CHECK(draw_text(timeline, make_plan(Algorithm::gpipe, {2, 1}), kMicrosecond) ==
        "time               0  1\n"
        "worker 0, stage 0  F0 .\n"
        "worker 1, stage 0  F1 .\n"
        "worker 2, stage 1  .  F0\n" +
            std::string(kLegend));
}

TEST_CASE("a worker with several stages has them below its microbatches") {
  Timeline timeline;
  timeline.workers = {{event("F0.0@v0", 0, 1), event("F2.0@v0", 2, 3)}, {event("F1.0@v0", 1, 2)}};
  CHECK(draw_text(timeline, make_plan(Algorithm::gpipe, {1, 1}), kMicrosecond) ==
        "time      0  1  2\n"
        "worker 0  F0 .  F0\n"
        "          s0    s2\n"
        "worker 1  .  F0 .\n"
        "             s1\n\n"
        "F3, B3: forward and backward of microbatch 3; s1: stage 1; |: update; .: idle\n");
  CHECK(draw_text(timeline, make_plan(Algorithm::pipedream, {1, 1}), kMicrosecond) ==
        "time      0    1    2\n"
        "worker 0  F0   .    F0\n"
        "          s0v0      s2v0\n"
        "worker 1  .    F0   .\n"
        "               s1v0\n\n"
        "F3, B3: forward and backward of microbatch 3; s1: stage 1; v2: weights of version 2; |: update; .: idle\n");
}

TEST_CASE("times count from the first computation and are rounded to columns") {
  Timeline timeline;
  timeline.workers = {{event("r1>0.0", 0, 100), event("F0.0@v0", 100, 114), event("F0.1@v0", 114, 125),
                       event("B0.0@v0", 131, 156), event("U0.0x2@v1", 156, 160), event("F0.2@v1", 160, 171)}};
  const Plan plan = make_plan(Algorithm::gpipe, {1});
  CHECK(shortest_pass_ns(timeline) == 11 * kMicrosecond);
  CHECK(draw_text(timeline, plan, 11 * kMicrosecond) ==
        "time      0  1  2  3  4  5\n"
        "worker 0  F0 F1 .  B0---|F2\n" +
            std::string(kLegend));
  // An update of half a column and more is drawn as one.
  CHECK(draw_text(timeline, plan, 8 * kMicrosecond) ==
        "time      0  1  2  3  4  5  6  7  8\n"
        "worker 0  F0--- F1 .  B0------ U  F2\n" +
            std::string(kLegend));
}

TEST_CASE("columns are as wide as the longest label, and numbered as often as there is room") {
  Timeline timeline;
  timeline.workers = {{event("F0.0@v0", 0, 1), event("F0.1000@v1000", 1, 3), event("F0.2@v2", 101, 102)}};
  const std::string grid = draw_text(timeline, straight_pipedream(1), kMicrosecond);
  CHECK(grid.substr(0, 40) == "time      0     1     2     3     4     ");
  CHECK_THAT(grid, Catch::Contains("\nworker 0  F0    F1000-----") && Catch::Contains("\n          v0    v1000 "));

  timeline.workers[0][1] = event("F0.1@v1", 1, 3);
  CHECK(draw_text(timeline, straight_pipedream(1), kMicrosecond).substr(0, 40) ==
        "time      0     2     4     6     8     ");
}

TEST_CASE("what cannot be drawn") {
  Timeline timeline;
  timeline.workers.resize(1);
  const Plan plan = make_plan(Algorithm::gpipe, {1});
  CHECK(draw_text(timeline, plan, 1) == "time\nworker 0\n" + std::string(kLegend));
  CHECK(shortest_pass_ns(timeline) == 1);
  CHECK_THROWS_WITH(draw_text(timeline, plan, 0), "a grid's unit must be positive, found 0 ns");
  CHECK_THROWS_WITH(draw_text(timeline, straight_pipedream(2), 1), "a timeline of 1 workers for a plan of 2");
  timeline.workers[0] = {event("F0.0@v0", 0, 1), event("F0.1@v0", 1, 1), event("B0.0@v0", 1, 10'001)};
  CHECK(shortest_pass_ns(timeline) == kMicrosecond);
  CHECK_THROWS_WITH(draw_text(timeline, plan, kMicrosecond),
                    "a grid of 10001 columns of 1000 ns: at most 10000 can be drawn");
}

}  // namespace pipedream

#include <catch2/catch.hpp>
#include <map>
#include <regex>

#include "events.h"
#include "pipedream/draw.h"
#include "pipedream/error.h"
#include "plans.h"
#include "schedule/svg_text.h"

namespace pipedream {
namespace {

using testing::event;
using testing::make_plan;
using testing::straight_pipedream;

Timeline drawn_stages() {
  Timeline timeline;
  timeline.workers = {{event("F0.0@v0", 5, 6), event("S0>1.0", 6, 7), event("F0.1@v0", 7, 8), event("B0.0@v0", 10, 12),
                       event("U0.0@v1+", 12, 12), event("B0.1@v0-", 13, 15), event("U0.1@v2", 15, 18)},
                      {event("r0>1.0", 5, 7), event("F1.0@v0", 7, 8), event("B1.0@v0", 8, 10), event("U1.0@v1", 10, 10),
                       event("F1.1@v1", 10, 11), event("B1.1@v1", 11, 13), event("U1.1@v2", 13, 13)}};
  return timeline;
}

struct Box {
  std::string kind, title, label;
  double x = 0, y = 0, width = 0, height = 0;
};

std::vector<std::smatch> all_matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  return {std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()};
}

std::vector<Box> boxes_of(const std::string& svg) {
  std::vector<Box> boxes;
  for (const std::smatch& m : all_matches(svg,
                                          "<title>([^<]*)</title><rect class=\"box ([a-z]\\d?)\" x=\"([^\"]*)\" "
                                          "y=\"([^\"]*)\" width=\"([^\"]*)\" height=\"([^\"]*)\"/>"
                                          "(?:<text class=\"label\"[^>]*>([^<]*)</text>)?")) {
    boxes.push_back({m[2], m[1], m[7], std::stod(m[3]), std::stod(m[4]), std::stod(m[5]), std::stod(m[6])});
  }
  return boxes;
}

const Box& box_of(const std::vector<Box>& boxes, const std::string& action) {
  for (const Box& box : boxes) {
    if (box.title.starts_with(action)) return box;
  }
  FAIL("no box of " << action);
  return boxes.front();
}

// Every tag is closed, in order.
void check_well_formed(const std::string& svg) {
  std::vector<std::string> open;
  std::size_t end = 0;
  for (std::size_t begin = svg.find('<'); begin != std::string::npos; begin = svg.find('<', end)) {
    CHECK(svg.find('>', end) >= begin);  // none between tags
    end = svg.find('>', begin) + 1;
    REQUIRE(end != 0);
    const std::string tag = svg.substr(begin + 1, end - begin - 2);
    if (tag.front() == '/') {
      REQUIRE_FALSE(open.empty());
      CHECK(open.back() == tag.substr(1));
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(tag.substr(0, tag.find(' ')));
    }
  }
  CHECK(open.empty());
}

}  // namespace

TEST_CASE("a drawing has a box for each pass, to scale and without overlap") {
  const std::string svg = draw_svg(drawn_stages(), straight_pipedream(2), "two stages");
  check_well_formed(svg);
  const std::vector<Box> boxes = boxes_of(svg);
  CHECK(boxes.size() == 8 + 1);                                       // the long update is a box too
  CHECK(all_matches(svg, "<line class=\"update\"").size() == 3 + 1);  // and one in the legend
  CHECK(all_matches(svg, "class=\"lane\"").size() == 2);

  const Box& unit = box_of(boxes, "F0.0@v0");
  CHECK(unit.title == "F0.0@v0, 0 to 1 us");
  CHECK(unit.label == "F0");
  CHECK(unit.width >= 2 * 7.5);
  for (const Box& box : boxes) {
    const bool is_forward = box.kind[0] == 'f';
    CHECK(box.width == Approx((is_forward ? 1 : box.kind == "u" ? 3 : 2) * unit.width).margin(0.02));
    CHECK((box.title[1] == '0') == (box.y == unit.y));
  }
  const Box& last = box_of(boxes, "B0.1@v0-");
  CHECK(last.x == Approx(unit.x + 8 * unit.width).margin(0.05));
  CHECK(box_of(boxes, "F1.1@v1").y > unit.y + unit.height);

  std::map<double, double> ends;  // by lane
  for (const Box& box : boxes) {
    CHECK(box.x >= ends[box.y] - 0.02);
    ends[box.y] = box.x + box.width;
  }
}

TEST_CASE("a drawing shows kinds and microbatches by colour, versions where they may be old") {
  const std::string stale = draw_svg(drawn_stages(), straight_pipedream(2), "");
  const std::vector<Box> boxes = boxes_of(stale);
  CHECK(box_of(boxes, "F0.0").kind == "f0");
  CHECK(box_of(boxes, "B0.0").kind == "b0");
  CHECK(box_of(boxes, "F0.1").kind == "f1");
  CHECK(box_of(boxes, "B1.1").kind == "b1");
  CHECK(box_of(boxes, "U0.1").kind == "u");
  CHECK(all_matches(stale, "class=\"small\"[^>]*>v0<").size() == 6);
  CHECK(all_matches(stale, "class=\"small\"[^>]*>v1<").size() == 2);
  const std::string flushed = draw_svg(drawn_stages(), make_plan(Algorithm::gpipe, {1, 1}), "");
  CHECK(all_matches(flushed, "class=\"small\"").empty());
  CHECK_THAT(flushed, !Catch::Contains("version of the weights"));
}

TEST_CASE("the axis of a drawing has round times in a fitting unit") {
  const std::string svg = draw_svg(drawn_stages(), straight_pipedream(2), "");
  CHECK_THAT(svg, Catch::Contains(">time, us</text>"));
  CHECK(all_matches(svg, "<line class=\"axis\"").size() == 7);  // 0, 2, ..., 12 of 13 us
  Timeline long_one;
  long_one.workers = {{event("F0.0@v0", 0, 4'000'000), event("F0.1@v0", 4'000'000, 70'000'000)}};
  CHECK_THAT(draw_svg(long_one, straight_pipedream(1), ""), Catch::Contains(">time, s</text>"));
  CHECK(detail::tick_step_ns(0.1) == 1);
  CHECK(detail::tick_step_ns(1) == 1);
  CHECK(detail::tick_step_ns(1.5) == 2);
  CHECK(detail::tick_step_ns(500) == 500);
  CHECK(detail::tick_step_ns(501) == 1000);
}

TEST_CASE("the words of a drawing are escaped") {
  Plan plan = straight_pipedream(2);
  plan.stages[1].layers = {"a<b>&\"c\"", "bell\a"};
  const std::string svg = draw_svg(drawn_stages(), plan, "</svg> & more");
  check_well_formed(svg);
  CHECK_THAT(svg, Catch::Contains(">&lt;/svg&gt; &amp; more</text>"));
  CHECK_THAT(svg, Catch::Contains("<title>stage 1: a&lt;b&gt;&amp;&quot;c&quot;, bell </title>"));
}

TEST_CASE("boxes too narrow for their label have none, and a drawing has a greatest width") {
  Timeline timeline;
  timeline.workers = {{event("F0.0@v0", 0, 1), event("F0.1@v0", 1, 100'000)}};
  const std::string svg = draw_svg(timeline, straight_pipedream(1), "");
  const std::vector<Box> boxes = boxes_of(svg);
  REQUIRE(boxes.size() == 2);
  CHECK(boxes[0].label.empty());
  CHECK(boxes[1].label == "F1");
  CHECK(boxes[1].x + boxes[1].width < 16'200);
}

TEST_CASE("an empty timeline is an empty drawing, one of other workers an error") {
  Timeline timeline;
  timeline.workers.resize(2);
  const std::string svg = draw_svg(timeline, straight_pipedream(2), "nothing");
  check_well_formed(svg);
  CHECK(boxes_of(svg).empty());
  CHECK_THROWS_AS(draw_svg(timeline, straight_pipedream(3), ""), ConfigError);
}

}  // namespace pipedream

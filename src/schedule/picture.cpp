#include "schedule/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "pipedream/draw.h"
#include "schedule/timeline.h"

namespace pipedream {
namespace {

using detail::Lane;
using detail::Picture;

std::vector<TimelineEvent> compute_events(const std::vector<TimelineEvent>& events) {
  std::vector<TimelineEvent> boxes;
  std::copy_if(events.begin(), events.end(), std::back_inserter(boxes),
               [](const TimelineEvent& event) { return detail::is_compute(event.action.kind); });
  return boxes;
}

bool is_one_stage(const std::vector<TimelineEvent>& boxes) {
  return std::all_of(boxes.begin(), boxes.end(),
                     [&](const TimelineEvent& box) { return box.action.stage == boxes.front().action.stage; });
}

void count_times_from_the_first(Picture& picture) {
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  for (const Lane& lane : picture.lanes) {
    for (const TimelineEvent& box : lane.boxes) first = std::min(first, box.start_ns);
  }
  for (Lane& lane : picture.lanes) {
    for (TimelineEvent& box : lane.boxes) {
      box.start_ns -= first;
      box.end_ns -= first;
      picture.span_ns = std::max(picture.span_ns, box.end_ns);
    }
  }
}

// Stages are named where they are not the workers' numbers, and boxes do not tell them.
void label_lanes(Picture& picture) {
  const auto stage_of = [](const Lane& lane) { return static_cast<std::size_t>(lane.boxes.front().action.stage); };
  bool are_numbers = true;
  for (std::size_t w = 0; w < picture.lanes.size(); ++w) {
    are_numbers = are_numbers && (picture.lanes[w].boxes.empty() || stage_of(picture.lanes[w]) == w);
  }
  for (std::size_t w = 0; w < picture.lanes.size(); ++w) {
    Lane& lane = picture.lanes[w];
    lane.label = fmt::format("worker {}", w);
    if (!are_numbers && !picture.shows_stages && !lane.boxes.empty()) {
      lane.label += fmt::format(", stage {}", stage_of(lane));
    }
  }
}

}  // namespace

std::int64_t shortest_pass_ns(const Timeline& timeline) {
  std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
  for (const auto& events : timeline.workers) {
    for (const TimelineEvent& event : events) {
      const bool is_pass = event.action.kind == ActionKind::forward || event.action.kind == ActionKind::backward;
      const std::int64_t duration = event.end_ns - event.start_ns;
      if (is_pass && duration > 0) shortest = std::min(shortest, duration);
    }
  }
  return shortest == std::numeric_limits<std::int64_t>::max() ? 1 : shortest;
}

namespace detail {

std::string Picture::label(const Action& action) const {
  if (action.kind == ActionKind::update) return "U";
  return fmt::format("{}{}", action.kind == ActionKind::forward ? 'F' : 'B', action.microbatch);
}

std::string Picture::detail(const Action& action) const {
  std::string text;
  if (shows_stages) text += fmt::format("s{}", action.stage);
  if (shows_versions) text += fmt::format("v{}", action.version);
  return text;
}

Picture picture_of(const Timeline& timeline, const Plan& plan) {
  check_workers(timeline, plan);
  Picture picture;
  picture.shows_versions = !traits_of(plan.algorithm).flushes;
  for (const auto& events : timeline.workers) {
    Lane& lane = picture.lanes.emplace_back();
    lane.boxes = compute_events(events);
    picture.shows_stages = picture.shows_stages || !is_one_stage(lane.boxes);
  }
  count_times_from_the_first(picture);
  label_lanes(picture);
  return picture;
}

}  // namespace detail
}  // namespace pipedream

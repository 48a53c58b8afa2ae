#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "pipedream/draw.h"
#include "schedule/picture.h"
#include "schedule/svg_text.h"

namespace pipedream {
namespace {

using detail::escaped;
using detail::Lane;
using detail::Picture;
using detail::px;

// Pixels.
constexpr double kMargin = 16;
constexpr double kTitleHeight = 36;
constexpr double kLaneHeight = 36;
constexpr double kLanePitch = 48;
constexpr double kLetterWidth = 7.5;       // of labels
constexpr double kSmallLetterWidth = 5.5;  // of versions and stages
constexpr double kTickPitch = 40;          // least
constexpr double kLegendWidth = 560;
constexpr double kWidestPlot = 16'000;
constexpr int kShades = 4;

constexpr std::string_view kStyle = R"svg(<style>
text { font: 12px sans-serif; fill: #111; }
.title { font-size: 15px; }
.label { text-anchor: middle; }
.small { font-size: 9px; text-anchor: middle; }
.f0 { fill: #c6dbef; } .f1 { fill: #9ecae1; } .f2 { fill: #6baed6; } .f3 { fill: #4a98c9; }
.b0 { fill: #fdd0a2; } .b1 { fill: #fdae6b; } .b2 { fill: #fd8d3c; } .b3 { fill: #ea7a28; }
.u { fill: #555; }
.box { stroke: #fff; stroke-width: 1; }
.update { stroke: #111; stroke-width: 2.5; }
.axis { stroke: #999; stroke-width: 1; }
</style>
<defs><pattern id="idle" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="6" height="6" fill="#f4f4f4"/><rect width="1.5" height="6" fill="#d0d0d0"/></pattern></defs>
)svg";

class Drawing {
 public:
  Drawing(const Timeline& timeline, const Plan& plan) : plan_(plan), picture_(detail::picture_of(timeline, plan)) {
    std::size_t letters = 0;
    std::size_t small_letters = 0;
    std::size_t lane_letters = 0;
    for (const Lane& lane : picture_.lanes) {
      lane_letters = std::max(lane_letters, lane.label.size());
      for (const TimelineEvent& box : lane.boxes) {
        letters = std::max(letters, picture_.label(box.action).size());
        small_letters = std::max(small_letters, picture_.detail(box.action).size());
      }
    }
    const double box_width =
        std::max(static_cast<double>(letters) * kLetterWidth, static_cast<double>(small_letters) * kSmallLetterWidth) +
        6;
    const auto span = static_cast<double>(std::max<std::int64_t>(picture_.span_ns, 1));
    pixels_per_ns_ = std::min(box_width / static_cast<double>(shortest_pass_ns(timeline)), kWidestPlot / span);
    left_ = kMargin + static_cast<double>(lane_letters + 1) * kLetterWidth;
    right_ = left_ + span * pixels_per_ns_;
    bottom_ = kTitleHeight + kLanePitch * static_cast<double>(picture_.lanes.size());
  }

  std::string draw(const std::string& title) {
    const double width = std::max(right_, kLegendWidth) + kMargin;
    const double height = bottom_ + 64;
    add("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\">\n", px(width),
        px(height));
    add("<title>{}</title>\n{}", escaped(title), kStyle);
    add("<rect width=\"{}\" height=\"{}\" fill=\"#fff\"/>\n", px(width), px(height));
    add("<text class=\"title\" x=\"{}\" y=\"24\">{}</text>\n", px(kMargin), escaped(title));
    draw_axis();
    for (std::size_t worker = 0; worker < picture_.lanes.size(); ++worker) draw_lane(worker);
    draw_legend();
    add("</svg>\n");
    return fmt::to_string(out_);
  }

 private:
  double x_of(std::int64_t ns) const { return left_ + static_cast<double>(ns) * pixels_per_ns_; }

  // Lines at round times, behind the lanes.
  void draw_axis() {
    const std::int64_t step = detail::tick_step_ns(kTickPitch / pixels_per_ns_);
    const detail::TimeUnit unit = detail::unit_of(step);
    for (std::int64_t ns = 0; ns <= picture_.span_ns; ns += step) {
      const std::string x = px(x_of(ns));
      add("<line class=\"axis\" x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{2}\"/>", x, px(kTitleHeight), px(bottom_));
      add("<text class=\"label\" x=\"{}\" y=\"{}\">{}</text>\n", x, px(bottom_ + 14), ns / unit.ns);
    }
    add("<text x=\"{}\" y=\"{}\">time, {}</text>\n", px(kMargin), px(bottom_ + 14), unit.name);
  }

  void draw_lane(std::size_t worker) {
    const Lane& lane = picture_.lanes[worker];
    const double y = kTitleHeight + kLanePitch * static_cast<double>(worker) + (kLanePitch - kLaneHeight) / 2;
    add("<g><title>{}</title><text x=\"{}\" y=\"{}\">{}</text></g>\n", escaped(layers_of(static_cast<int>(worker))),
        px(kMargin), px(y + kLaneHeight / 2 + 4), escaped(lane.label));
    add("<rect class=\"lane\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"url(#idle)\"/>\n", px(left_), px(y),
        px(right_ - left_), px(kLaneHeight));
    // Updates last: a mark must not be hidden by the box that begins where it stands.
    for (const bool updates : {false, true}) {
      for (const TimelineEvent& box : lane.boxes) {
        if ((box.action.kind == ActionKind::update) == updates) draw_box(box, y);
      }
    }
  }

  std::string layers_of(int worker) const {
    std::string text;
    for (const int s : plan_.stages_of_worker(worker)) {
      const StagePlan& stage = plan_.stages[static_cast<std::size_t>(s)];
      text += fmt::format("{}stage {}: {}", text.empty() ? "" : "; ", s, fmt::join(stage.layers, ", "));
    }
    return text;
  }

  void draw_box(const TimelineEvent& box, double y) {
    const double x = x_of(box.start_ns);
    const double width = x_of(box.end_ns) - x;
    const bool is_update = box.action.kind == ActionKind::update;
    add("<g><title>{}, {}</title>", to_string(box.action), times_of(box));
    if (is_update && width < 2) {
      add("<line class=\"update\" x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{2}\"/></g>\n", px(x + width / 2), px(y - 4),
          px(y + kLaneHeight + 4));
      return;
    }
    const std::string shade = fmt::format("{}{}", box.action.kind == ActionKind::forward ? 'f' : 'b',
                                          static_cast<int>(box.action.microbatch % kShades));
    add("<rect class=\"box {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>", is_update ? "u" : shade, px(x), px(y),
        px(width), px(kLaneHeight));
    if (!is_update) draw_labels(box.action, x + width / 2, y, width);
    add("</g>\n");
  }

  void draw_labels(const Action& action, double middle, double y, double width) {
    const std::string label = picture_.label(action);
    const std::string detail = picture_.detail(action);
    if (static_cast<double>(label.size()) * kLetterWidth > width) return;
    if (static_cast<double>(detail.size()) * kSmallLetterWidth > width) return;
    const double centre = y + kLaneHeight / 2;
    add("<text class=\"label\" x=\"{}\" y=\"{}\">{}</text>", px(middle), px(detail.empty() ? centre + 4 : centre - 1),
        label);
    if (!detail.empty()) add("<text class=\"small\" x=\"{}\" y=\"{}\">{}</text>", px(middle), px(centre + 12), detail);
  }

  static std::string times_of(const TimelineEvent& box) {
    const auto us = [](std::int64_t ns) { return fmt::format("{}", static_cast<double>(ns) / 1000); };
    if (box.start_ns == box.end_ns) return fmt::format("at {} us", us(box.start_ns));
    return fmt::format("{} to {} us", us(box.start_ns), us(box.end_ns));
  }

  void draw_legend() {
    const double y = bottom_ + 32;
    double x = kMargin;
    const auto entry = [&](const std::string& mark, const std::string& text) {
      add("<g transform=\"translate({},{})\">{}<text x=\"24\" y=\"13\">{}</text></g>\n", px(x), px(y), mark, text);
      x += 24 + static_cast<double>(text.size()) * kLetterWidth + 8;
    };
    const std::string square = "<rect {} width=\"18\" height=\"18\"/>";
    entry(fmt::format(fmt::runtime(square), "class=\"f1\""), "F: forward");
    entry(fmt::format(fmt::runtime(square), "class=\"b1\""), "B: backward");
    entry("<line class=\"update\" x1=\"9\" y1=\"-1\" x2=\"9\" y2=\"19\"/>", "update");
    entry(fmt::format(fmt::runtime(square), "fill=\"url(#idle)\""), "idle");
    if (picture_.shows_versions) entry("<text y=\"13\">v2</text>", "version of the weights");
    if (picture_.shows_stages) entry("<text y=\"13\">s1</text>", "stage");
  }

  template <typename... Args>
  void add(fmt::format_string<Args...> form, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), form, std::forward<Args>(args)...);
  }

  const Plan& plan_;
  const Picture picture_;
  double pixels_per_ns_ = 1;
  double left_ = 0;
  double right_ = 0;
  double bottom_ = 0;
  fmt::memory_buffer out_;
};

}  // namespace

std::string draw_svg(const Timeline& timeline, const Plan& plan, const std::string& title) {
  return Drawing(timeline, plan).draw(title);
}

}  // namespace pipedream

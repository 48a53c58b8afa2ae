#include <fmt/format.h>

#include <algorithm>

#include "pipedream/draw.h"
#include "pipedream/error.h"
#include "schedule/picture.h"

namespace pipedream {
namespace {

using detail::Lane;
using detail::Picture;

constexpr std::int64_t kMostColumns = 10'000;

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// Lines of equal columns. Column c begins after the character at boundary(c), which belongs to the instant between two
// columns.
class Grid {
 public:
  Grid(const Picture& picture, std::int64_t unit_ns) : picture_(picture), unit_ns_(unit_ns) {
    columns_ = column(picture.span_ns);
    if (columns_ > kMostColumns) {
      throw ConfigError(
          fmt::format("a grid of {} columns of {} ns: at most {} can be drawn", columns_, unit_ns, kMostColumns));
    }
    for (const Lane& lane : picture.lanes) {
      label_width_ = std::max(label_width_, lane.label.size());
      for (const TimelineEvent& box : lane.boxes) {
        width_ = std::max({width_, picture.label(box.action).size() + 1, picture.detail(box.action).size() + 1});
      }
    }
  }

  std::string header() const {
    std::int64_t step = 1;
    const std::size_t longest = fmt::formatted_size("{}", columns_);
    for (const std::int64_t factor : {2, 5, 10, 20, 50, 100}) {
      if (longest >= static_cast<std::size_t>(step) * width_) step = factor;
    }
    std::string line = blank();
    for (std::int64_t c = 0; c < columns_; c += step) write(line, c, fmt::format("{}", c));
    return finish("time", line);
  }

  std::string lines_of(const Lane& lane) const {
    std::string passes = blank();
    std::string details = blank();
    for (std::int64_t c = 0; c < columns_; ++c) write(passes, c, ".");
    for (const TimelineEvent& box : lane.boxes) draw(box, passes, details);
    std::string text = finish(lane.label, passes);
    if (picture_.shows_versions || picture_.shows_stages) text += finish("", details);
    return text;
  }

 private:
  std::int64_t column(std::int64_t ns) const { return ns / unit_ns_ + (ns % unit_ns_ * 2 >= unit_ns_ ? 1 : 0); }
  std::size_t boundary(std::int64_t column) const { return static_cast<std::size_t>(column) * width_; }

  std::string blank() const { return std::string(boundary(columns_) + 1, ' '); }

  void write(std::string& line, std::int64_t column, const std::string& text) const {
    const std::size_t begin = boundary(column) + 1;
    if (line.size() < begin + text.size()) line.resize(begin + text.size(), ' ');
    line.replace(begin, text.size(), text);
  }

  void draw(const TimelineEvent& box, std::string& passes, std::string& details) const {
    const std::int64_t first = column(box.start_ns);
    const std::int64_t end = column(box.end_ns);
    if (first == end) {
      if (box.action.kind == ActionKind::update) passes[boundary(first)] = '|';
      return;
    }
    const std::size_t begin = boundary(first) + 1;
    const std::size_t length = boundary(end) - begin;
    std::string cell = picture_.label(box.action);
    cell.resize(length, end - first > 1 ? '-' : ' ');
    passes.replace(begin, length, cell);
    write(details, first, picture_.detail(box.action));
  }

  std::string finish(const std::string& label, const std::string& line) const {
    return without_trailing_blanks(fmt::format("{:<{}} {}", label, label_width_, line)) + "\n";
  }

  const Picture& picture_;
  const std::int64_t unit_ns_;
  std::int64_t columns_ = 0;
  std::size_t width_ = 3;
  std::size_t label_width_ = 4;
};

std::string legend(const Picture& picture) {
  std::string text = "F3, B3: forward and backward of microbatch 3";
  if (picture.shows_stages) text += "; s1: stage 1";
  if (picture.shows_versions) text += "; v2: weights of version 2";
  return text + "; |: update; .: idle\n";
}

}  // namespace

std::string draw_text(const Timeline& timeline, const Plan& plan, std::int64_t unit_ns) {
  if (unit_ns < 1) throw ConfigError(fmt::format("a grid's unit must be positive, found {} ns", unit_ns));
  const Picture picture = detail::picture_of(timeline, plan);
  const Grid grid(picture, unit_ns);
  std::string text = grid.header();
  for (const Lane& lane : picture.lanes) text += grid.lines_of(lane);
  return text + "\n" + legend(picture);
}

}  // namespace pipedream

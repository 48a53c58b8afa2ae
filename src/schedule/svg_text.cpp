#include "schedule/svg_text.h"

#include <fmt/format.h>

namespace pipedream::detail {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
  }
  return result;
}

std::string px(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

TimeUnit unit_of(std::int64_t step_ns) {
  for (const TimeUnit unit : {TimeUnit{"s", 1'000'000'000}, TimeUnit{"ms", 1'000'000}, TimeUnit{"us", 1'000}}) {
    if (step_ns % unit.ns == 0) return unit;
  }
  return {"ns", 1};
}

std::int64_t tick_step_ns(double least_ns) {
  std::int64_t power = 1;
  while (static_cast<double>(power) * 10 <= least_ns) power *= 10;
  for (const std::int64_t factor : {1, 2, 5}) {
    if (static_cast<double>(factor * power) >= least_ns) return factor * power;
  }
  return 10 * power;
}

}  // namespace pipedream::detail

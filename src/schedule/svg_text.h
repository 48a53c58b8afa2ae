// Numbers, words and scales of an SVG drawing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pipedream::detail {

// As text between tags or in quotes. XML 1.0 has no control characters: they become blanks.
std::string escaped(std::string_view text);

// At most two decimals: "12.5".
std::string px(double value);

struct TimeUnit {
  const char* name;
  std::int64_t ns;
};

// The greatest of s, ms, us and ns of which the step is a multiple.
TimeUnit unit_of(std::int64_t step_ns);

// The least of 1, 2 and 5 times a power of ten that is at least that long, for ticks of an axis; 1 ns at least.
std::int64_t tick_step_ns(double least_ns);

}  // namespace pipedream::detail

// The clock that timelines are recorded with.
#pragma once

#include <chrono>
#include <cstdint>

namespace pipedream::detail {

inline std::int64_t steady_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace pipedream::detail

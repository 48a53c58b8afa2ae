// Waiting until a point in time without using a core: how emulated devices and links take their time.
#pragma once

#include <cstdint>

namespace pipedream::bench {

// Returns at end_ns of the clock that detail::steady_now_ns reads, or as soon after it as the system lets it.
void sleep_until(std::int64_t end_ns);

}  // namespace pipedream::bench

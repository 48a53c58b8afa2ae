#include "emulated_clock.h"

#include <sys/prctl.h>

#include <cerrno>
#include <ctime>

namespace pipedream::bench {

void sleep_until(std::int64_t end_ns) {
  // By default Linux may wake a thread 50 us late.
  static thread_local const int slack_is_small = prctl(PR_SET_TIMERSLACK, 1UL);
  (void)slack_is_small;
  const timespec end{static_cast<time_t>(end_ns / 1'000'000'000), static_cast<long>(end_ns % 1'000'000'000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) == EINTR) {
  }
}

}  // namespace pipedream::bench

#include "transport/mpi/helper.h"

#include <chrono>
#include <utility>

namespace pipedream::detail {

namespace {

// Between two looks. A socket's buffers hold a network of 10 Gbit/s busy for longer than the first.
constexpr std::chrono::microseconds kPauseMoving{150};
constexpr std::chrono::microseconds kPauseExpected{1000};

// Looks without any transfer before the thread waits to be woken.
constexpr int kIdleLooks = 50;

}  // namespace

Helper::Helper(std::function<void()> advance)
    : advance_(std::move(advance)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

Helper::~Helper() {
  thread_.request_stop();
  thread_.join();
}

// The counts and `parked_` are sequentially consistent: either the thread sees the count before it parks, or the worker
// sees that it has parked.
void Helper::count(int moving, int expected) {
  if (moving != 0) moving_.fetch_add(moving);
  if (expected != 0) expected_.fetch_add(expected);
  if (!parked_.load() || idle()) return;
  const std::lock_guard lock(mutex_);
  woken_.notify_one();
}

void Helper::park(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  parked_.store(true);
  woken_.wait(lock, stop, [this] { return !idle(); });
  parked_.store(false);
}

void Helper::run(const std::stop_token& stop) {
  int idle_looks = 0;
  while (!stop.stop_requested()) {
    idle_looks = idle() ? idle_looks + 1 : 0;
    if (idle_looks > kIdleLooks) {
      park(stop);
      continue;
    }
    if (idle_looks == 0) advance_();
    std::this_thread::sleep_for(moving_.load() > 0 ? kPauseMoving : kPauseExpected);
  }
}

}  // namespace pipedream::detail

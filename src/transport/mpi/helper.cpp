#include "transport/mpi/helper.h"

#include <chrono>
#include <utility>

namespace pipedream::detail {

namespace {

// Between two looks. A socket's buffers hold a network of 10 Gbit/s busy for longer than the first.
constexpr std::chrono::microseconds kPauseMoving{150};
constexpr std::chrono::microseconds kPauseExpected{1000};

}  // namespace

Helper::Helper(std::function<bool()> advance)
    : advance_(std::move(advance)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

Helper::~Helper() {
  thread_.request_stop();
  thread_.join();
}

void Helper::count(int moving, int expected) {
  if (moving != 0) moving_.fetch_add(moving);
  if (expected != 0) expected_.fetch_add(expected);
}

// All atomics here are sequentially consistent: either the thread sees `roused_` before it parks, or the worker sees
// that it has parked.
void Helper::rouse() {
  if (idle()) return;
  roused_.store(true);
  if (!parked_.load()) return;
  const std::lock_guard lock(mutex_);
  woken_.notify_one();
}

void Helper::park(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  parked_.store(true);
  woken_.wait(lock, stop, [this] { return roused_.load(); });
  parked_.store(false);
}

// `roused_` is taken back before the look, so that no call of rouse after the look is lost.
void Helper::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    roused_.store(false);
    if (idle() || !advance_()) {
      park(stop);
    } else {
      std::this_thread::sleep_for(moving_.load() > 0 ? kPauseMoving : kPauseExpected);
    }
  }
}

}  // namespace pipedream::detail

// A thread that gives MPI the processor while large transfers are pending and the worker computes.
//
// Transfers that move need it often. Those that are only expected, because a receive was posted ahead, need it now and
// then, to find out that they began. A worker that waits drives MPI itself, and the thread would only disturb it: so it
// sleeps from then on until it is roused when the worker computes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace pipedream::detail {

class Helper {
 public:
  // advance: gives MPI the processor once; returns false if the worker needs no help.
  explicit Helper(std::function<bool()> advance);
  ~Helper();

  // Large transfers that are pending. Cheap.
  void count(int moving, int expected);
  // The worker computes from now on. Cheap unless the thread sleeps and transfers are pending.
  void rouse();

 private:
  void run(const std::stop_token& stop);
  bool idle() const { return moving_.load() == 0 && expected_.load() == 0; }
  void park(const std::stop_token& stop);

  std::function<bool()> advance_;
  std::atomic<int> moving_{0};
  std::atomic<int> expected_{0};
  std::atomic<bool> roused_{false};
  std::atomic<bool> parked_{false};
  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::jthread thread_;
};

}  // namespace pipedream::detail

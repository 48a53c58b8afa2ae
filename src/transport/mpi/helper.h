// A thread that gives MPI the processor while large transfers are pending and the worker computes.
//
// Transfers that move need it often. Those that are only expected, because a receive was posted ahead, need it now and
// then, to find out that they began. Counting costs the worker two additions: the thread looks by itself, and must be
// woken only after a long time without large transfers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace pipedream::detail {

class Helper {
 public:
  // Calls `advance` again and again while one of the counts is above zero.
  explicit Helper(std::function<void()> advance);
  ~Helper();
  void count(int moving, int expected);

 private:
  void run(const std::stop_token& stop);
  bool idle() const { return moving_.load() == 0 && expected_.load() == 0; }
  void park(const std::stop_token& stop);

  std::function<void()> advance_;
  std::atomic<int> moving_{0};
  std::atomic<int> expected_{0};
  std::atomic<bool> parked_{false};
  std::mutex mutex_;
  std::condition_variable_any woken_;
  std::jthread thread_;
};

}  // namespace pipedream::detail

// LibTorch's threads for one operator on this thread, while the scope lives.
#pragma once

#include <ATen/Parallel.h>

namespace pipedream::detail {

class ThreadsScope {
 public:
  explicit ThreadsScope(int threads) : before_(at::get_num_threads()) { at::set_num_threads(threads); }
  ~ThreadsScope() { at::set_num_threads(before_); }
  ThreadsScope(const ThreadsScope&) = delete;
  ThreadsScope& operator=(const ThreadsScope&) = delete;

 private:
  int before_;
};

}  // namespace pipedream::detail

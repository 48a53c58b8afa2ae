// How a thread waits for NCCL's own threads and for the device.
#pragma once

#include <chrono>
#include <thread>

#include "transport/waiting.h"

namespace pipedream::detail {

// Spins as other waits do, then sleeps between two looks.
class Pause {
 public:
  void wait() {
    is_spinning_ = is_spinning_ && spin_.again();
    if (!is_spinning_) std::this_thread::sleep_for(kSleep);
  }

 private:
  static constexpr std::chrono::microseconds kSleep{100};

  Spin spin_;
  bool is_spinning_ = true;
};

}  // namespace pipedream::detail

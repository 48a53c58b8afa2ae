// What the communicators of the host offer to one that is built on them and whose work goes on by itself, on a device.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "transport/waiting.h"

namespace pipedream::detail {

// Messages and buffers of the meta device pass through it as what they say of themselves: shapes, types and weights
// without data.
class HostCommunicator : public Communicator {
 public:
  struct News {
    std::optional<std::string> failure;  // why the run ends, once a worker has given up
    Clock::time_point last_progress;     // of any worker
  };
  // From any thread, while the worker's own may be held up by its device: tells the others whether the worker's device
  // has done something, and hears of them.
  virtual News exchange_news(bool device_progressed) = 0;
  // From any thread: what each worker did last.
  virtual std::vector<WorkerReport> reports() = 0;
};

}  // namespace pipedream::detail

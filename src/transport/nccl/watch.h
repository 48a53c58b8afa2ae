// Watches, on a thread of its own, what was given to a device: the worker's thread never waits for it, and may be held
// up by it when its queue is full.
//
// When nothing makes progress for the deadline, when NCCL reports an error, or when a worker has given up, it ends what
// is under way on the device, tells the other workers if they do not know, and keeps the cause for the worker.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "transport/host_communicator.h"
#include "transport/nccl/calls.h"
#include "transport/stream_mark.h"
#include "transport/waiting.h"

namespace pipedream::detail {

class Watch {
 public:
  explicit Watch(HostCommunicator& host);
  ~Watch();

  // Watches a connection's operations, which the device does in the order in which they begin.
  int add_lane(std::shared_ptr<NcclConnection> connection);
  // Before it is given to NCCL, which may take its time, and after.
  void begin(int lane, const WaitedFor& operation);
  void queued(int lane, StreamMark done);

  void set_deadline(std::chrono::milliseconds deadline);
  // Throws CommunicationError with the cause.
  void throw_if_failed();
  // Ends what is under way.
  void abort(const std::string& cause) noexcept;

 private:
  struct Operation {
    WaitedFor what;
    Clock::time_point begun;
    std::optional<StreamMark> done;  // once it is queued
    bool is_done() const { return done && done->is_reached(); }
  };
  struct Lane {
    std::shared_ptr<NcclConnection> connection;
    std::deque<Operation> operations;
  };
  void work(const std::stop_token& stop);
  void keep(const std::string& cause);
  std::optional<std::string> look();
  bool drop_done();
  std::optional<std::string> own_failure(Clock::time_point last_progress);

  HostCommunicator& host_;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::vector<Lane> lanes_;
  std::chrono::milliseconds deadline_ = kDefaultDeadline;
  std::optional<std::string> failure_;
  std::jthread thread_;
};

}  // namespace pipedream::detail

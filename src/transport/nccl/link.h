// One direction between two workers: an NCCL communicator of the two, a stream, and one order of all messages of all
// channels, the sender's, in which both ends give them to NCCL.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "transport/buffer_pool.h"
#include "transport/nccl/calls.h"
#include "transport/nccl/watch.h"
#include "transport/stream_mark.h"

namespace pipedream::detail {

class NcclReceiveChannel;

// Places in the NCCL communicator of a link.
inline constexpr int kSender = 0;
inline constexpr int kReceiver = 1;

// A connection, the stream of its operations, and where they are watched.
class NcclLane {
 public:
  NcclLane(NcclCalls& calls, Watch& watch, torch::Device device);
  bool connected() const { return connection_ != nullptr; }
  void connect(std::unique_ptr<NcclConnection> connection);
  const c10::Stream& stream() const { return stream_; }
  // Queues what `start` starts, after `ready`, as one operation; returns where it is done.
  StreamMark queue(const StreamMark& ready, const WaitedFor& operation,
                   const std::function<void(NcclConnection&, const c10::Stream&)>& start);

 private:
  NcclCalls& calls_;
  Watch& watch_;
  c10::Stream stream_;
  std::shared_ptr<NcclConnection> connection_;
  int number_ = -1;  // of the watch
};

class NcclSendLink {
 public:
  NcclSendLink(NcclCalls& calls, Watch& watch, torch::Device device) : lane(calls, watch, device) {}

  std::int64_t next_number() { return sent_++; }
  // Tensors without elements stay at home.
  StreamMark send(const std::vector<at::Tensor>& tensors, const StreamMark& ready, const WaitedFor& operation);

  NcclLane lane;

 private:
  std::int64_t sent_ = 0;
};

class NcclReceiveLink {
 public:
  NcclReceiveLink(NcclCalls& calls, Watch& watch, torch::Device device);
  ~NcclReceiveLink();

  void enlist(NcclReceiveChannel& channel) { channels_.push_back(&channel); }
  void dismiss(NcclReceiveChannel& channel) { std::erase(channels_, &channel); }

  // Starts the receives of the messages that were announced.
  void advance();
  // Hears of messages of other channels, which the sender may have sent before.
  void expect_all();
  // Tensors like the given ones, of the meta device, and where they have arrived.
  StreamMark receive(const std::vector<at::Tensor>& announced, const WaitedFor& operation,
                     std::vector<at::Tensor>& tensors);
  // What uses the received tensors.
  void set_user(const c10::Stream& stream) { memory_->set_user(stream); }

  NcclLane lane;

 private:
  std::shared_ptr<BufferPool> memory_;
  std::vector<NcclReceiveChannel*> channels_;
  std::int64_t received_ = 0;
};

}  // namespace pipedream::detail

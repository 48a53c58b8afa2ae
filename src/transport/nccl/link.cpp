#include "transport/nccl/link.h"

#include <c10/core/StreamGuard.h>

#include <algorithm>
#include <utility>

#include "transport/nccl/channel.h"
#include "transport/tensor_on_memory.h"

namespace pipedream::detail {

namespace {

// Both ends know the number of bytes, and skip what has none.
bool travels(const at::Tensor& tensor) { return tensor.defined() && tensor.numel() > 0; }

}  // namespace

NcclLane::NcclLane(NcclCalls& calls, Watch& watch, torch::Device device)
    : calls_(calls), watch_(watch), stream_(calls.make_stream(device)) {}

void NcclLane::connect(std::unique_ptr<NcclConnection> connection) {
  connection_ = std::move(connection);
  number_ = watch_.add_lane(connection_);
}

StreamMark NcclLane::queue(const StreamMark& ready, const WaitedFor& operation,
                           const std::function<void(NcclConnection&, const c10::Stream&)>& start) {
  const c10::StreamGuard guard(stream_);
  ready.precede_work_of(stream_.device());
  watch_.begin(number_, operation);
  calls_.start_group();
  start(*connection_, stream_);
  calls_.end_group();
  StreamMark done(stream_);
  watch_.queued(number_, done);
  return done;
}

StreamMark NcclSendLink::send(const std::vector<at::Tensor>& tensors, const StreamMark& ready,
                              const WaitedFor& operation) {
  return lane.queue(ready, operation, [&](NcclConnection& connection, const c10::Stream& stream) {
    for (const at::Tensor& tensor : tensors) {
      if (travels(tensor)) connection.send(tensor, kReceiver, stream);
    }
  });
}

NcclReceiveLink::NcclReceiveLink(NcclCalls& calls, Watch& watch, torch::Device device)
    : lane(calls, watch, device), memory_(std::make_shared<BufferPool>(device)) {}

NcclReceiveLink::~NcclReceiveLink() { memory_->close(); }

void NcclReceiveLink::advance() {
  const auto is_next = [this](NcclReceiveChannel* channel) { return channel->announces(received_); };
  while (true) {
    const auto next = std::find_if(channels_.begin(), channels_.end(), is_next);
    if (next == channels_.end()) return;
    (*next)->start();
    ++received_;
  }
}

void NcclReceiveLink::expect_all() {
  for (NcclReceiveChannel* channel : channels_) channel->expect();
}

StreamMark NcclReceiveLink::receive(const std::vector<at::Tensor>& announced, const WaitedFor& operation,
                                    std::vector<at::Tensor>& tensors) {
  const c10::StreamGuard guard(lane.stream());
  for (const at::Tensor& like : announced) {
    if (!like.defined()) {
      tensors.emplace_back();
      continue;
    }
    const auto bytes = static_cast<std::int64_t>(like.nbytes());
    tensors.push_back(
        tensor_on_memory(memory_->allocate(bytes), bytes, like.scalar_type(), like.sizes(), like.strides()));
  }
  return lane.queue({}, operation, [&](NcclConnection& connection, const c10::Stream& stream) {
    for (const at::Tensor& tensor : tensors) {
      if (travels(tensor)) connection.receive(tensor, kSender, stream);
    }
  });
}

}  // namespace pipedream::detail

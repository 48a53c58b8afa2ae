#include <ATen/EmptyTensor.h>
#include <c10/core/CPUAllocator.h>

#include <utility>

#include "transport/mpi/channel.h"

namespace pipedream::detail {

namespace {

// A tensor on that memory, without a copy. `capacity` is what was allocated.
at::Tensor make_tensor(const TensorFrame& frame, c10::DataPtr data, std::int64_t capacity) {
  c10::Storage storage(c10::Storage::use_byte_size_t(), static_cast<std::size_t>(capacity), std::move(data),
                       c10::GetCPUAllocator(), /*resizable=*/true);
  at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CPU), c10::scalarTypeToTypeMeta(frame.dtype));
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(frame.sizes, frame.strides);
  return tensor;
}

}  // namespace

MpiReceiveChannel::MpiReceiveChannel(Engine& engine, int peer, int id, ChannelOptions options)
    : engine_(engine),
      peer_(peer),
      id_(id),
      options_(options),
      ledger_(channel_name(peer, engine.control.rank(), id), options.slots),
      tags_(engine, id, ledger_.name()),
      slots_(static_cast<std::size_t>(options.slots)) {
  engine.receives.open(peer, id, ledger_.name());
  for (Slot& slot : slots_) {
    slot.room.resize(header_room(options.tensors));
    slot.payloads.resize(static_cast<std::size_t>(options.tensors));
  }
  engine.enlist(*this);
}

MpiReceiveChannel::~MpiReceiveChannel() {
  engine_.dismiss(*this);
  engine_.receives.close(peer_, id_);
  pool_->close();
  const MpiLock lock(mpi_mutex());
  for (Slot& slot : slots_) {
    count(slot, 0, 0);
    const bool header_done = slot.header_request.cancel_receives();
    const bool payloads_done = slot.requests.cancel_receives();
    if (header_done && payloads_done) continue;
    leak(std::move(slot.room));
    leak(std::move(slot.payloads));
  }
}

void MpiReceiveChannel::post() {
  const MpiLock lock(mpi_mutex());
  Slot& slot = at(ledger_.post());
  slot.header_read = false;
  slot.complete = false;
  const auto room = static_cast<std::int64_t>(slot.room.size());
  slot.header_request.receive(slot.room.data(), room, room, peer_, tags_.header, engine_.messages);
  std::int64_t total = 0;
  for (Payload& payload : slot.payloads) {
    if (payload.capacity == 0) continue;
    payload.ahead = pool_->allocate(payload.capacity);
    slot.requests.receive(payload.ahead.get(), payload.capacity, engine_.part_bytes, peer_, tags_.ahead,
                          engine_.messages);
    total += payload.capacity;
  }
  if (total >= kLargeBytes) count(slot, 0, 1);
}

// Sets what the slot adds to the counts.
void MpiReceiveChannel::count(Slot& slot, int moving, int expected) {
  if (moving == slot.moving && expected == slot.expected) return;
  engine_.count_large(moving - slot.moving, expected - slot.expected);
  slot.moving = moving;
  slot.expected = expected;
}

void MpiReceiveChannel::advance() {
  for (std::int64_t index = ledger_.waited(); index < ledger_.posted(); ++index) {
    // Second receives must be posted in the order of the messages.
    if (!advance(at(index), index)) return;
  }
}

// Returns whether the header has come.
bool MpiReceiveChannel::advance(Slot& slot, std::int64_t index) {
  if (slot.complete) return true;
  if (!slot.header_read) {
    if (!slot.header_request.test()) return false;
    read_header(slot.room.data(), index, options_, ledger_.name(), slot.header);
    slot.header_read = true;
    receive_second(slot);
  }
  slot.complete = slot.requests.test();
  if (slot.complete) count(slot, 0, 0);
  return true;
}

void MpiReceiveChannel::receive_second(Slot& slot) {
  std::int64_t total = 0;
  for (std::size_t i = 0; i < slot.payloads.size(); ++i) {
    Payload& payload = slot.payloads[i];
    const std::int64_t bytes = slot.header.tensors[i].bytes;
    total += bytes;
    if (bytes <= payload.capacity) continue;
    payload.second = pool_->allocate(bytes);
    slot.requests.receive(payload.second.get(), bytes, engine_.part_bytes, peer_, tags_.second, engine_.messages);
  }
  count(slot, total >= kLargeBytes ? 1 : 0, 0);
}

Message MpiReceiveChannel::wait() {
  const std::int64_t index = ledger_.oldest();
  Slot& slot = at(index);
  engine_.wait_until(
      [this, &slot] {
        advance();
        // Counted under the lock, because the helper counts on it too.
        if (slot.complete) ledger_.finish();
        return slot.complete;
      },
      {.what = "message", .peer = peer_, .id = id_, .index = index}, &slot.header_read);
  return take(slot);
}

Message MpiReceiveChannel::take(Slot& slot) {
  Message message;
  message.weight = slot.header.weight;
  message.tensors.resize(slot.payloads.size());
  for (std::size_t i = 0; i < slot.payloads.size(); ++i) {
    Payload& payload = slot.payloads[i];
    const TensorFrame& frame = slot.header.tensors[i];
    const std::int64_t capacity = std::exchange(payload.capacity, frame.bytes);
    c10::DataPtr ahead = std::move(payload.ahead);
    c10::DataPtr second = std::move(payload.second);
    if (!frame.defined) continue;
    if (frame.bytes > capacity) {
      message.tensors[i] = make_tensor(frame, std::move(second), frame.bytes);
    } else {
      message.tensors[i] = make_tensor(frame, ahead ? std::move(ahead) : pool_->allocate(0), capacity);
    }
  }
  return message;
}

}  // namespace pipedream::detail

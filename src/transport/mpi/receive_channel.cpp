#include <ATen/ops/empty_strided.h>

#include <algorithm>
#include <utility>

#include "transport/mpi/channel.h"
#include "transport/staging.h"
#include "transport/tensor_on_memory.h"

namespace pipedream::detail {

namespace {

at::Tensor make_tensor(const TensorFrame& frame, c10::DataPtr memory) {
  if (!frame.meta) return tensor_on_memory(std::move(memory), frame.bytes, frame.dtype, frame.sizes, frame.strides);
  return at::empty_strided(frame.sizes, frame.strides, at::device(torch::kMeta).dtype(frame.dtype));
}

}  // namespace

MpiReceiveChannel::MpiReceiveChannel(Engine& engine, int peer, int id, ChannelOptions options)
    : engine_(engine),
      peer_(peer),
      id_(id),
      options_(options),
      ledger_(channel_name(peer, engine.control.rank(), id), options.slots),
      tags_(engine, id, ledger_.name()),
      room_(static_cast<std::int64_t>(header_room(options.tensors))) {
  engine.receives.open(peer, id, ledger_.name());
  slots_.reserve(static_cast<std::size_t>(options.slots));
  for (int i = 0; i < options.slots; ++i) slots_.emplace_back(options.tensors, room_);
  engine.enlist(*this);
}

MpiReceiveChannel::~MpiReceiveChannel() {
  engine_.dismiss(*this);
  engine_.receives.close(peer_, id_);
  pool_->close();
  const MpiLock lock(mpi_mutex());
  for (Slot& slot : slots_) {
    engine_.set_load(slot.load, {});
    const bool lead_done = slot.lead.cancel_receives();
    const bool others_done = slot.others.cancel_receives();
    if (lead_done && others_done) continue;
    leak(std::move(slot.header_room));
    leak(std::move(slot.payloads));
    leak(std::move(slot.unused));
  }
}

c10::DataPtr MpiReceiveChannel::allocate(std::int64_t bytes) const {
  return options_.device.is_cpu() ? pool_->allocate(bytes) : allocate_for_device(options_.device, bytes);
}

void MpiReceiveChannel::post() {
  const MpiLock lock(mpi_mutex());
  Slot& slot = at(ledger_.post());
  slot.lead_received = 0;
  slot.lead_come = false;
  slot.complete = false;
  const Expected& expected = slot.expected;
  char* to = slot.header_room.data();
  for (std::size_t i = expected.lead; i < expected.bytes.size(); ++i) {
    if (expected.bytes[i] == 0) continue;
    const bool leads = i == expected.lead;
    const std::int64_t memory = leads ? std::max(expected.lead_room(room_), greatest_lead_) : expected.bytes[i];
    slot.payloads[i] = allocate(memory);
    if (leads) {
      slot.lead_memory = memory;
      to = static_cast<char*>(slot.payloads[i].get());
      continue;
    }
    slot.others.receive(slot.payloads[i].get(), expected.bytes[i], engine_.part_bytes, peer_, tags_.ahead,
                        engine_.messages);
  }
  slot.lead.receive(to, expected.lead_room(room_), engine_.part_bytes, peer_, tags_.lead, engine_.messages);
  engine_.set_load(slot.load, load_of_receive(expected.total()));
}

void MpiReceiveChannel::advance() {
  for (std::int64_t index = ledger_.waited(); index < ledger_.posted(); ++index) {
    // Second receives must be posted in the order of the messages.
    if (!advance(at(index), index)) return;
  }
}

// Returns whether the lead has come.
bool MpiReceiveChannel::advance(Slot& slot, std::int64_t index) {
  if (slot.complete) return true;
  if (!slot.lead_come) {
    if (!slot.lead.test(&slot.lead_received)) return false;
    slot.lead_come = true;
    if (slot.lead_received != slot.expected.lead_bytes()) receive_second(slot, index);
  }
  slot.complete = slot.others.test();
  if (slot.complete) engine_.set_load(slot.load, {});
  return true;
}

// A header has come where the lead's payload was expected.
void MpiReceiveChannel::receive_second(Slot& slot, std::int64_t index) {
  Expected& expected = slot.expected;
  const bool in_payload = expected.lead < expected.bytes.size();
  const void* header = in_payload ? slot.payloads[expected.lead].get() : slot.header_room.data();
  read_header(static_cast<const char*>(header), index, options_, ledger_.name(), slot.header);
  for (std::size_t i = 0; i < expected.bytes.size(); ++i) {
    const std::int64_t bytes = slot.header.tensors[i].bytes;
    // The header has been read, so that the memory it came into is free; what else was posted is still to be written.
    const bool is_free = in_payload && i == expected.lead && bytes > 0 && bytes <= slot.lead_memory;
    expected.bytes[i] = bytes;
    if (!is_free) slot.unused.push_back(std::move(slot.payloads[i]));
    if (bytes == 0) continue;
    if (!is_free) slot.payloads[i] = allocate(bytes);
    slot.others.receive(slot.payloads[i].get(), bytes, engine_.part_bytes, peer_, tags_.second, engine_.messages);
  }
  expected.find_lead();
  greatest_lead_ = std::max(greatest_lead_, expected.lead_bytes());
  engine_.set_load(slot.load, load_of_transfer(expected.total()));
}

bool MpiReceiveChannel::arrived() {
  const std::int64_t index = ledger_.oldest();
  const MpiLock lock(mpi_mutex());
  advance();
  return at(index).complete;
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
      {.what = "message", .peer = peer_, .id = id_, .index = index});
  return take(slot);
}

Message MpiReceiveChannel::take(Slot& slot) {
  slot.unused.clear();
  Message message;
  message.weight = slot.header.weight;
  message.tensors.resize(slot.payloads.size());
  for (std::size_t i = 0; i < slot.payloads.size(); ++i) {
    const TensorFrame& frame = slot.header.tensors[i];
    c10::DataPtr payload = std::move(slot.payloads[i]);
    if (!frame.defined) continue;
    message.tensors[i] = make_tensor(frame, frame.bytes > 0 ? std::move(payload) : allocate(0));
    if (!frame.meta && !options_.device.is_cpu()) {
      message.tensors[i] = message.tensors[i].to(options_.device, /*non_blocking=*/true);
    }
  }
  return message;
}

}  // namespace pipedream::detail

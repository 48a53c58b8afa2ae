#include <algorithm>
#include <numeric>
#include <utility>

#include "transport/dense.h"
#include "transport/mpi/channel.h"
#include "transport/staging.h"

namespace pipedream::detail {

ChannelTags::ChannelTags(const Engine& engine, int id, const std::string& name)
    : lead(engine.tag(id, 3, 0, name)), ahead(engine.tag(id, 3, 1, name)), second(engine.tag(id, 3, 2, name)) {}

void Expected::find_lead() {
  const auto first = std::find_if(bytes.begin(), bytes.end(), [](std::int64_t payload) { return payload > 0; });
  lead = static_cast<std::size_t>(first - bytes.begin());
}

std::int64_t Expected::total() const { return std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0}); }

MpiSendChannel::MpiSendChannel(Engine& engine, int peer, int id, ChannelOptions options)
    : engine_(engine),
      peer_(peer),
      id_(id),
      options_(options),
      ledger_(channel_name(engine.control.rank(), peer, id), options.slots),
      tags_(engine, id, ledger_.name()),
      room_(static_cast<std::int64_t>(header_room(options.tensors))) {
  engine.sends.open(peer, id, ledger_.name());
  for (int i = 0; i < options.slots; ++i) slots_.emplace_back(options.tensors);
  engine.enlist(*this);
}

MpiSendChannel::~MpiSendChannel() {
  engine_.dismiss(*this);
  engine_.sends.close(peer_, id_);
  const MpiLock lock(mpi_mutex());
  for (Slot& slot : slots_) {
    engine_.set_load(slot.load, {});
    if (slot.requests.abandon_sends()) continue;
    leak(std::move(slot.header));
    leak(std::move(slot.message));
  }
}

void MpiSendChannel::post(Message message) {
  check_message(message, options_, ledger_.name());
  StreamMark copied;
  for (at::Tensor& tensor : message.tensors) {
    if (!tensor.defined()) continue;
    check_dimensions(tensor, ledger_.name());
    tensor = dense(tensor, ledger_.name());
    if (!needs_staging(tensor)) continue;
    const torch::Device device = tensor.device();
    tensor = copy_to_host(tensor);
    copied = StreamMark(device);
  }
  const MpiLock lock(mpi_mutex());
  Slot& slot = at(ledger_.post());
  slot.message = std::move(message);
  slot.copied = std::move(copied);
  advance();
  // Until it has started there is something to be driven.
  if (started_ < ledger_.posted()) engine_.set_load(slot.load, {.driven = 1});
}

void MpiSendChannel::advance() {
  for (; started_ < ledger_.posted(); ++started_) {
    Slot& slot = at(started_);
    if (!slot.copied.is_reached()) return;
    start(slot, started_);
  }
}

void MpiSendChannel::start(Slot& slot, std::int64_t index) {
  write_header(slot.message, index, options_, next_header_);
  const bool expected = same_but_index(next_header_, slot.header);
  std::swap(next_header_, slot.header);
  if (expected) {
    send_expected(slot);
  } else {
    send_other(slot);
  }
  engine_.set_load(slot.load, load_of_transfer(slot.expected.total()));
}

void MpiSendChannel::send_expected(Slot& slot) {
  const Expected& expected = slot.expected;
  const bool any = expected.lead < expected.bytes.size();
  slot.requests.send(any ? slot.message.tensors[expected.lead].const_data_ptr() : slot.header.data(),
                     expected.lead_bytes(), expected.lead_room(room_), engine_.part_bytes, peer_, tags_.lead,
                     engine_.messages);
  for (std::size_t i = expected.lead + 1; i < expected.bytes.size(); ++i) {
    if (expected.bytes[i] == 0) continue;
    slot.requests.send(slot.message.tensors[i].const_data_ptr(), expected.bytes[i], expected.bytes[i],
                       engine_.part_bytes, peer_, tags_.ahead, engine_.messages);
  }
}

void MpiSendChannel::send_other(Slot& slot) {
  Expected& expected = slot.expected;
  const std::vector<char>& header = slot.header;
  const auto size = static_cast<std::int64_t>(header.size());
  const bool looks_like_payload = size == expected.lead_bytes();
  slot.requests.send(header.data(), looks_like_payload ? size - 1 : size, expected.lead_room(room_), engine_.part_bytes,
                     peer_, tags_.lead, engine_.messages);
  for (std::size_t i = expected.lead + 1; i < expected.bytes.size(); ++i) {
    slot.requests.send(header.data(), 0, expected.bytes[i], engine_.part_bytes, peer_, tags_.ahead, engine_.messages);
  }
  for (std::size_t i = 0; i < expected.bytes.size(); ++i) {
    const std::int64_t bytes = expected.bytes[i] = payload_bytes(slot.message.tensors[i]);
    if (bytes == 0) continue;
    slot.requests.send(slot.message.tensors[i].const_data_ptr(), bytes, bytes, engine_.part_bytes, peer_, tags_.second,
                       engine_.messages);
  }
  expected.find_lead();
}

void MpiSendChannel::wait() {
  const std::int64_t index = ledger_.oldest();
  Slot& slot = at(index);
  engine_.wait_until(
      [this, &slot, index] {
        advance();
        if (started_ <= index || !slot.requests.test()) return false;
        engine_.set_load(slot.load, {});
        return true;
      },
      {.what = "the receive of message", .peer = peer_, .id = id_, .index = index});
  ledger_.finish();
  slot.message = {};
}

}  // namespace pipedream::detail

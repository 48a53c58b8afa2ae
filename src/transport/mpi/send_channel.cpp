#include <fmt/format.h>

#include <utility>

#include "pipedream/error.h"
#include "transport/dense.h"
#include "transport/mpi/channel.h"

namespace pipedream::detail {

ChannelTags::ChannelTags(const Engine& engine, int id, const std::string& name)
    : header(engine.tag(id, 3, 0, name)), ahead(engine.tag(id, 3, 1, name)), second(engine.tag(id, 3, 2, name)) {}

MpiSendChannel::MpiSendChannel(Engine& engine, int peer, int id, ChannelOptions options)
    : engine_(engine),
      peer_(peer),
      id_(id),
      options_(options),
      ledger_(channel_name(engine.control.rank(), peer, id), options.slots),
      tags_(engine, id, ledger_.name()),
      slots_(static_cast<std::size_t>(options.slots)) {
  engine.sends.open(peer, id, ledger_.name());
  for (Slot& slot : slots_) {
    slot.header.resize(header_room(options.tensors));
    slot.bytes.resize(static_cast<std::size_t>(options.tensors));
  }
}

MpiSendChannel::~MpiSendChannel() {
  engine_.sends.close(peer_, id_);
  const MpiLock lock(mpi_mutex());
  for (Slot& slot : slots_) {
    if (slot.large) engine_.count_large(-1, 0);
    if (slot.requests.abandon_sends()) continue;
    leak(std::move(slot.header));
    leak(std::move(slot.message));
  }
}

void MpiSendChannel::post(Message message) {
  check_message(message, options_, ledger_.name());
  for (at::Tensor& tensor : message.tensors) {
    if (!tensor.defined()) continue;
    if (!tensor.is_cpu()) {
      throw ConfigError(
          fmt::format("{}: a tensor on {}; MPI sends those of the CPU", ledger_.name(), tensor.device().str()));
    }
    check_dimensions(tensor, ledger_.name());
    tensor = dense(tensor, ledger_.name());
  }
  const std::int64_t index = ledger_.post();
  Slot& slot = at(index);
  slot.message = std::move(message);
  start(slot, write_header(slot.message, index, options_, slot.header.data()));
}

void MpiSendChannel::start(Slot& slot, std::size_t header_bytes) {
  const MpiLock lock(mpi_mutex());
  const auto header = static_cast<std::int64_t>(header_bytes);
  slot.requests.send(slot.header.data(), header, header, header, peer_, tags_.header, engine_.messages);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < slot.bytes.size(); ++i) {
    const at::Tensor& tensor = slot.message.tensors[i];
    const std::int64_t bytes = payload_bytes(tensor);
    const std::int64_t ahead = std::exchange(slot.bytes[i], bytes);
    const void* data = bytes > 0 ? tensor.const_data_ptr() : slot.header.data();
    const bool fits = bytes <= ahead;
    slot.requests.send(data, fits ? bytes : 0, ahead, engine_.part_bytes, peer_, tags_.ahead, engine_.messages);
    if (!fits) {
      slot.requests.send(data, bytes, bytes, engine_.part_bytes, peer_, tags_.second, engine_.messages);
    }
    total += bytes;
  }
  slot.large = total >= kLargeBytes;
  if (slot.large) engine_.count_large(1, 0);
}

void MpiSendChannel::wait() {
  const std::int64_t index = ledger_.oldest();
  Slot& slot = at(index);
  engine_.wait_until([&slot] { return slot.requests.test(); },
                     {.what = "the receive of message", .peer = peer_, .id = id_, .index = index}, &slot.large);
  ledger_.finish();
  if (std::exchange(slot.large, false)) engine_.count_large(-1, 0);
  slot.message = {};
}

}  // namespace pipedream::detail

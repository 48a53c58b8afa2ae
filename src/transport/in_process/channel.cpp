#include "transport/in_process/channel.h"

#include <fmt/format.h>

#include <utility>

#include "pipedream/error.h"
#include "transport/dense.h"

namespace pipedream::detail {

namespace {

enum End : int { sender = 0, receiver = 1 };

std::shared_ptr<Mailbox> meet(World& world, int from, int to, int id, End end, ChannelOptions options) {
  auto mailbox = world.mailboxes.join({from, to, id}, end, 2, [&] { return std::make_shared<Mailbox>(options); });
  if (mailbox->options.tensors != options.tensors || mailbox->options.slots != options.slots) {
    throw ConfigError(fmt::format("{}: one end has {} tensors and {} slots, the other {} and {}",
                                  channel_name(from, to, id), mailbox->options.tensors, mailbox->options.slots,
                                  options.tensors, options.slots));
  }
  return mailbox;
}

}  // namespace

InProcessSendChannel::InProcessSendChannel(InProcessCommunicator& communicator, int peer, int id,
                                           ChannelOptions options)
    : communicator_(communicator),
      peer_(peer),
      id_(id),
      ledger_(channel_name(communicator.rank(), peer, id), options.slots) {
  communicator.sends.open(peer, id, ledger_.name());
  mailbox_ = meet(communicator.world(), communicator.rank(), peer, id, sender, options);
}

InProcessSendChannel::~InProcessSendChannel() { communicator_.sends.close(peer_, id_); }

void InProcessSendChannel::post(Message message) {
  check_message(message, mailbox_->options, ledger_.name());
  Parcel parcel;
  for (const at::Tensor& tensor : message.tensors) {
    const at::Tensor& copy = parcel.message.tensors.emplace_back(dense_copy(tensor, ledger_.name()));
    parcel.copied.push_back(copy.defined() ? StreamMark(copy.device()) : StreamMark());
  }
  parcel.message.weight = message.weight;
  const std::int64_t index = ledger_.post();
  mailbox_->at(index) = std::move(parcel);
  mailbox_->sent.store(index + 1);
  communicator_.world().ring(peer_);
}

void InProcessSendChannel::wait() {
  const std::int64_t index = ledger_.oldest();
  communicator_.wait_until([&] { return mailbox_->expected.load() > index; },
                           {.what = "the receive of message", .peer = peer_, .id = id_, .index = index});
  ledger_.finish();
}

InProcessReceiveChannel::InProcessReceiveChannel(InProcessCommunicator& communicator, int peer, int id,
                                                 ChannelOptions options)
    : communicator_(communicator),
      peer_(peer),
      id_(id),
      ledger_(channel_name(peer, communicator.rank(), id), options.slots) {
  communicator.receives.open(peer, id, ledger_.name());
  mailbox_ = meet(communicator.world(), peer, communicator.rank(), id, receiver, options);
}

InProcessReceiveChannel::~InProcessReceiveChannel() { communicator_.receives.close(peer_, id_); }

void InProcessReceiveChannel::post() {
  mailbox_->expected.store(ledger_.post() + 1);
  communicator_.world().ring(peer_);
}

Message InProcessReceiveChannel::wait() {
  const std::int64_t index = ledger_.oldest();
  communicator_.wait_until([&] { return mailbox_->sent.load() > index; },
                           {.what = "message", .peer = peer_, .id = id_, .index = index});
  ledger_.finish();
  Parcel parcel = std::exchange(mailbox_->at(index), {});
  for (std::size_t i = 0; i < parcel.copied.size(); ++i) {
    const at::Tensor& tensor = parcel.message.tensors[i];
    if (!tensor.defined()) continue;
    parcel.copied[i].precede_work_of(tensor.device());
    keep_for_current_stream(tensor);
  }
  return std::move(parcel.message);
}

}  // namespace pipedream::detail

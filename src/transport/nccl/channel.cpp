#include "transport/nccl/channel.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <fmt/format.h>

#include <thread>
#include <utility>

#include "pipedream/error.h"
#include "transport/dense.h"

namespace pipedream::detail {

namespace {

// With the number, which is the last tensor.
ChannelOptions announcements(ChannelOptions options) {
  return {.tensors = options.tensors + 1, .slots = options.slots};
}

at::Tensor without_data(const at::Tensor& tensor) {
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(torch::kMeta));
}

}  // namespace

NcclSendChannel::NcclSendChannel(NcclEngine& engine, int peer, int id, ChannelOptions options)
    : engine_(engine),
      link_(engine.send_link(peer)),
      peer_(peer),
      id_(id),
      options_(options),
      ledger_(channel_name(engine.host.rank(), peer, id), options.slots),
      host_(engine.host.open_send(peer, id, announcements(options))) {}

NcclSendChannel::~NcclSendChannel() {
  if (!sent_.empty()) engine_.watch.abort(ledger_.name() + " was closed while its messages were under way");
}

void NcclSendChannel::post(Message message) {
  engine_.demand_use(link_.lane, ledger_.name());
  check_message(message, options_, ledger_.name());
  for (at::Tensor& tensor : message.tensors) {
    if (!tensor.defined()) continue;
    tensor = dense(tensor, ledger_.name());
    if (tensor.device() != engine_.device) {
      throw ConfigError(fmt::format("{}: a tensor on {}; the channel was opened for {}", ledger_.name(),
                                    tensor.device().str(), engine_.device.str()));
    }
  }
  const std::int64_t index = ledger_.post();
  host_->post(announce(message));
  StreamMark done = link_.send(message.tensors, StreamMark(engine_.device),
                               {.what = "the receive of message", .peer = peer_, .id = id_, .index = index});
  sent_.push_back({std::move(message.tensors), std::move(done)});
}

Message NcclSendChannel::announce(const Message& message) {
  Message announcement;
  announcement.weight = message.weight;
  for (const at::Tensor& tensor : message.tensors) {
    announcement.tensors.push_back(tensor.defined() ? without_data(tensor) : at::Tensor());
  }
  at::Tensor number = at::empty({1}, torch::kInt64);
  *number.mutable_data_ptr<std::int64_t>() = link_.next_number();
  announcement.tensors.push_back(std::move(number));
  return announcement;
}

void NcclSendChannel::wait() {
  ledger_.oldest();
  host_->wait();
  sent_.front().done.precede_work_of(engine_.device);
  engine_.watch.throw_if_failed();
  sent_.pop_front();
  ledger_.finish();
}

NcclReceiveChannel::NcclReceiveChannel(NcclEngine& engine, int peer, int id, ChannelOptions options)
    : engine_(engine),
      link_(engine.receive_link(peer)),
      peer_(peer),
      id_(id),
      ledger_(channel_name(peer, engine.host.rank(), id), options.slots),
      host_(engine.host.open_receive(peer, id, announcements(options))) {
  link_.enlist(*this);
}

NcclReceiveChannel::~NcclReceiveChannel() {
  link_.dismiss(*this);
  if (!received_.empty()) engine_.watch.abort(ledger_.name() + " was closed while its messages were under way");
}

void NcclReceiveChannel::post() {
  engine_.demand_use(link_.lane, ledger_.name());
  if (ledger_.post() < expected_) return;
  host_->post();
  ++expected_;
}

void NcclReceiveChannel::expect() {
  if (expected_ > heard_) return;
  host_->post();
  ++expected_;
}

bool NcclReceiveChannel::announces(std::int64_t number) {
  if (!announced_ && expected_ > heard_ && host_->arrived()) hear();
  return announced_ && announced_->number == number;
}

void NcclReceiveChannel::hear() {
  Message announcement = host_->wait();
  ++heard_;
  const std::int64_t number = *announcement.tensors.back().const_data_ptr<std::int64_t>();
  announcement.tensors.pop_back();
  announced_ = {number, std::move(announcement)};
}

void NcclReceiveChannel::start() {
  Announced announced = *std::exchange(announced_, std::nullopt);
  Received& received = received_.emplace_back();
  received.message.weight = announced.message.weight;
  received.done = link_.receive(
      announced.message.tensors,
      {.what = "message", .peer = peer_, .id = id_, .index = ledger_.waited() + std::ssize(received_) - 1},
      received.message.tensors);
}

bool NcclReceiveChannel::arrived() {
  ledger_.oldest();
  link_.advance();
  return !received_.empty();
}

// The host's wait has the deadline. Messages of other channels that were sent before have been announced by then.
void NcclReceiveChannel::await_announced() {
  link_.advance();
  if (received_.empty() && !announced_) hear();
  link_.advance();
  while (received_.empty()) {
    link_.expect_all();
    engine_.progress();
    std::this_thread::yield();
    link_.advance();
  }
}

Message NcclReceiveChannel::wait() {
  ledger_.oldest();
  await_announced();
  Received received = std::move(received_.front());
  received_.pop_front();
  ledger_.finish();
  link_.set_user(engine_.current_stream());
  received.done.precede_work_of(engine_.device);
  engine_.watch.throw_if_failed();
  return std::move(received.message);
}

}  // namespace pipedream::detail

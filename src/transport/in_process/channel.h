// Channels between threads: the sender copies the tensors when it posts, the receiver takes the copies. Tensors of a
// device stay there; what the receiver gives to its streams comes after the copies.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "pipedream/communicator.h"
#include "transport/in_process/communicator.h"
#include "transport/ledger.h"
#include "transport/stream_mark.h"

namespace pipedream::detail {

struct Parcel {
  Message message;
  std::vector<StreamMark> copied;  // by tensor
};

// One direction between two workers. A send is complete when the receiver has posted the receive for it, as with a
// network that does not buffer; so at most 2 * slots messages are ever inside.
struct Mailbox {
  explicit Mailbox(ChannelOptions channel_options)
      : options(channel_options), ring(2 * static_cast<std::size_t>(channel_options.slots)) {}
  Parcel& at(std::int64_t index) { return ring[static_cast<std::size_t>(index) % ring.size()]; }

  const ChannelOptions options;
  std::vector<Parcel> ring;
  std::atomic<std::int64_t> sent{0};      // counted by the sender
  std::atomic<std::int64_t> expected{0};  // receives posted, counted by the receiver
};

class InProcessSendChannel final : public SendChannel {
 public:
  InProcessSendChannel(InProcessCommunicator& communicator, int peer, int id, ChannelOptions options);
  ~InProcessSendChannel() override;
  void post(Message message) override;
  void wait() override;

 private:
  InProcessCommunicator& communicator_;
  const int peer_;
  const int id_;
  Ledger ledger_;
  std::shared_ptr<Mailbox> mailbox_;
};

class InProcessReceiveChannel final : public ReceiveChannel {
 public:
  InProcessReceiveChannel(InProcessCommunicator& communicator, int peer, int id, ChannelOptions options);
  ~InProcessReceiveChannel() override;
  void post() override;
  Message wait() override;
  bool arrived() override { return mailbox_->sent.load() > ledger_.oldest(); }

 private:
  InProcessCommunicator& communicator_;
  const int peer_;
  const int id_;
  Ledger ledger_;
  std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace pipedream::detail

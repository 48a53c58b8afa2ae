// Channels over NCCL. The host's channel of the same name carries what NCCL does not know: the message's number on its
// link, shapes, strides and weight, in tensors of the meta device.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "pipedream/communicator.h"
#include "transport/ledger.h"
#include "transport/nccl/engine.h"

namespace pipedream::detail {

class NcclSendChannel final : public SendChannel {
 public:
  NcclSendChannel(NcclEngine& engine, int peer, int id, ChannelOptions options);
  ~NcclSendChannel() override;
  void post(Message message) override;
  void wait() override;

 private:
  // A message under way. Its tensors go back when the worker's stream comes after the send.
  struct Sent {
    std::vector<at::Tensor> tensors;
    StreamMark done;
  };
  Message announce(const Message& message);

  NcclEngine& engine_;
  NcclSendLink& link_;
  const int peer_;
  const int id_;
  const ChannelOptions options_;
  Ledger ledger_;
  std::unique_ptr<SendChannel> host_;
  std::deque<Sent> sent_;
};

class NcclReceiveChannel final : public ReceiveChannel {
 public:
  NcclReceiveChannel(NcclEngine& engine, int peer, int id, ChannelOptions options);
  ~NcclReceiveChannel() override;
  void post() override;
  Message wait() override;
  bool arrived() override;

  // For the link. Whether the next message of the channel is this one of the link.
  bool announces(std::int64_t number);
  // Starts the receive of the announced message.
  void start();
  // Makes room for an announcement, also before the message is posted.
  void expect();

 private:
  struct Announced {
    std::int64_t number;
    Message message;
  };
  struct Received {
    Message message;
    StreamMark done;
  };
  void hear();
  void await_announced();

  NcclEngine& engine_;
  NcclReceiveLink& link_;
  const int peer_;
  const int id_;
  Ledger ledger_;
  std::unique_ptr<ReceiveChannel> host_;
  std::int64_t expected_ = 0;  // announcements, of the host's channel
  std::int64_t heard_ = 0;
  std::optional<Announced> announced_;
  std::deque<Received> received_;
};

}  // namespace pipedream::detail

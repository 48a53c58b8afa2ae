// Channels over MPI. A message is a header and, per tensor, a payload straight from and to the tensor's storage.
//
// A payload's receive is posted ahead, at the size that the tensor had in the message before in the same slot (0 for
// the first): both ends know it. A payload that fits travels there; a larger one travels as a second message, whose
// receive is posted when the header has said its size, and nothing travels in the first.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "transport/ledger.h"
#include "transport/mpi/buffer_pool.h"
#include "transport/mpi/engine.h"
#include "transport/mpi/header.h"
#include "transport/mpi/requests.h"

namespace pipedream::detail {

// Tags of one channel.
struct ChannelTags {
  ChannelTags(const Engine& engine, int id, const std::string& name);
  int header, ahead, second;
};

class MpiSendChannel final : public SendChannel {
 public:
  MpiSendChannel(Engine& engine, int peer, int id, ChannelOptions options);
  ~MpiSendChannel() override;
  void post(Message message) override;
  void wait() override;

 private:
  struct Slot {
    Message message;
    std::vector<char> header;
    std::vector<std::int64_t> bytes;  // per tensor, in the latest message of this slot
    Requests requests;
    bool large = false;
  };
  Slot& at(std::int64_t index) { return slots_[static_cast<std::size_t>(index) % slots_.size()]; }
  void start(Slot& slot, std::size_t header_bytes);

  Engine& engine_;
  const int peer_;
  const int id_;
  const ChannelOptions options_;
  Ledger ledger_;
  const ChannelTags tags_;
  std::vector<Slot> slots_;
};

class MpiReceiveChannel final : public ReceiveChannel, public Advancing {
 public:
  MpiReceiveChannel(Engine& engine, int peer, int id, ChannelOptions options);
  ~MpiReceiveChannel() override;
  void post() override;
  Message wait() override;
  void advance() override;

 private:
  struct Payload {
    std::int64_t capacity = 0;  // bytes in the latest message of this slot
    c10::DataPtr ahead;
    c10::DataPtr second;
  };
  struct Slot {
    std::vector<char> room;
    Header header;
    std::vector<Payload> payloads;
    Requests header_request;
    Requests requests;
    bool header_read = false;
    bool complete = false;
    int expected = 0;  // what it adds to the counts of large transfers
    int moving = 0;
  };
  Slot& at(std::int64_t index) { return slots_[static_cast<std::size_t>(index) % slots_.size()]; }
  bool advance(Slot& slot, std::int64_t index);
  void receive_second(Slot& slot);
  void count(Slot& slot, int moving, int expected);
  Message take(Slot& slot);

  Engine& engine_;
  const int peer_;
  const int id_;
  const ChannelOptions options_;
  Ledger ledger_;
  const ChannelTags tags_;
  std::vector<Slot> slots_;
  const std::shared_ptr<BufferPool> pool_ = std::make_shared<BufferPool>();
};

}  // namespace pipedream::detail

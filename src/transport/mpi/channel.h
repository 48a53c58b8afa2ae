// Channels over MPI. Payloads travel straight from and to the tensors' storages; those of a device through copies in
// the host's memory.
//
// Both ends remember the latest message of each slot and expect the next one to be like it: same tensors, same weight.
// Receives for its payloads are posted ahead. The first tensor with a payload is the lead. A message as expected is its
// payloads and nothing else. Of any other the lead's receive gets a header instead, told from a payload by its length;
// the other receives get nothing, and the payloads travel as second messages, whose receives are posted when the header
// has said their sizes.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "transport/buffer_pool.h"
#include "transport/ledger.h"
#include "transport/mpi/engine.h"
#include "transport/mpi/header.h"
#include "transport/mpi/requests.h"
#include "transport/stream_mark.h"

namespace pipedream::detail {

// Tags of one channel.
struct ChannelTags {
  ChannelTags(const Engine& engine, int id, const std::string& name);
  int lead, ahead, second;
};

// What both ends expect of the next message in a slot; nothing but a header at first.
struct Expected {
  explicit Expected(int tensors) : bytes(static_cast<std::size_t>(tensors)), lead(bytes.size()) {}
  void find_lead();
  std::int64_t lead_bytes() const { return lead < bytes.size() ? bytes[lead] : 0; }
  // Room of the lead's receive, which takes its payload or a header of up to `header_room` bytes.
  std::int64_t lead_room(std::int64_t header_room) const { return std::max(lead_bytes(), header_room); }
  std::int64_t total() const;

  std::vector<std::int64_t> bytes;  // of each payload
  std::size_t lead;                 // bytes.size() if there is no payload
};

class MpiSendChannel final : public SendChannel, public Advancing {
 public:
  MpiSendChannel(Engine& engine, int peer, int id, ChannelOptions options);
  ~MpiSendChannel() override;
  void post(Message message) override;
  void wait() override;
  void advance() override;

 private:
  struct Slot {
    explicit Slot(int tensors) : expected(tensors) {}
    Message message;
    StreamMark copied;         // from the device
    std::vector<char> header;  // of the latest message
    Expected expected;
    Requests requests;
    Load load;
  };
  Slot& at(std::int64_t index) { return slots_[static_cast<std::size_t>(index) % slots_.size()]; }
  void start(Slot& slot, std::int64_t index);
  void send_expected(Slot& slot);
  void send_other(Slot& slot);

  Engine& engine_;
  const int peer_;
  const int id_;
  const ChannelOptions options_;
  Ledger ledger_;
  const ChannelTags tags_;
  const std::int64_t room_;   // of a header
  std::int64_t started_ = 0;  // messages, of those posted
  std::vector<char> next_header_;
  std::vector<Slot> slots_;
};

class MpiReceiveChannel final : public ReceiveChannel, public Advancing {
 public:
  MpiReceiveChannel(Engine& engine, int peer, int id, ChannelOptions options);
  ~MpiReceiveChannel() override;
  void post() override;
  Message wait() override;
  bool arrived() override;
  void advance() override;

 private:
  struct Slot {
    Slot(int tensors, std::int64_t room)
        : header_room(static_cast<std::size_t>(room)), payloads(static_cast<std::size_t>(tensors)), expected(tensors) {}
    std::vector<char> header_room;  // where no lead is expected
    Header header;                  // of the latest message
    std::vector<c10::DataPtr> payloads;
    std::vector<c10::DataPtr> unused;  // still known to MPI
    Expected expected;
    Requests lead;
    Requests others;
    std::int64_t lead_memory = 0;    // bytes of the payload that the lead comes into
    std::int64_t lead_received = 0;  // bytes
    bool lead_come = false;
    bool complete = false;
    Load load;
  };
  Slot& at(std::int64_t index) { return slots_[static_cast<std::size_t>(index) % slots_.size()]; }
  bool advance(Slot& slot, std::int64_t index);
  void receive_second(Slot& slot, std::int64_t index);
  c10::DataPtr allocate(std::int64_t bytes) const;
  Message take(Slot& slot);

  Engine& engine_;
  const int peer_;
  const int id_;
  const ChannelOptions options_;
  Ledger ledger_;
  const ChannelTags tags_;
  std::int64_t greatest_lead_ = 0;  // payload so far: smaller ones get as much memory
  const std::int64_t room_;         // of a header
  std::vector<Slot> slots_;
  const std::shared_ptr<BufferPool> pool_ = std::make_shared<BufferPool>();
};

}  // namespace pipedream::detail

// Messages of tensors between workers, fixed-order sums over replicas, and the news that something went wrong.
//
// A communicator belongs to the one worker (thread or process) that uses it and is used from that thread alone. Its
// owner makes and closes it; nothing here is global and no destructor communicates or throws. Backends: in-process
// (workers are threads of one process; run_in_threads), MPI (mpi_communicator.h) and NCCL (nccl_communicator.h).
//
// Tensors of a device: a wait returns when what the worker's current stream is given from then on comes after the
// message or the sum, which the device may not have reached yet; a post counts from what the stream has been given by
// then.
//
// Waiting: every wait spins (longer where nobody else wants the core), then sleeps between tests. It throws
// CommunicationError when another worker has called abort (with that worker's cause), and when no worker anywhere has
// made progress for the deadline; the message then names the worker that waits and its status, the peer, and the last
// known status of every worker, and is what the other workers are told.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pipedream {

// What travels for one microbatch between two stages. An undefined tensor stays undefined on the other side. dtype,
// shape and strides arrive as they were sent (strides of a tensor with gaps or overlaps: as its dense copy with the
// same order of dimensions has them); payloads are aligned to 64 bytes and never shared with the sender. weight rides
// along unchanged.
struct Message {
  std::vector<torch::Tensor> tensors;
  double weight = 0;
};

struct ChannelOptions {
  int tensors = 1;                     // tensors in every message of the channel; both ends say the same
  int slots = 2;                       // messages posted and not yet waited for, at most; both ends say the same
  torch::Device device = torch::kCPU;  // where this end's tensors are; both ends say the same type
};

class SendChannel {
 public:
  virtual ~SendChannel() = default;
  // Starts the send of a message; its tensors are held until the matching wait and must not be written before.
  virtual void post(Message message) = 0;
  // Waits until the oldest posted message has left its buffers.
  virtual void wait() = 0;
};

class ReceiveChannel {
 public:
  virtual ~ReceiveChannel() = default;
  // Makes room for the next message of the channel. Order is the sender's.
  virtual void post() = 0;
  // Waits for the oldest posted message.
  virtual Message wait() = 0;
  // Whether the oldest posted message is there, so that its wait returns at once.
  virtual bool arrived() = 0;
};

// Sums over the members of a group, always added in ascending order of the members, so that every member gets the same
// bits as a loop over replicas 0..r-1 does. (NCCL has an order of its own: the same bits for every member.)
class ReduceGroup {
 public:
  virtual ~ReduceGroup() = default;
  // Starts the sum. `buffer`: 1-d, contiguous, same size and dtype on all members; it holds this member's addend and,
  // after the wait, the sum; it must not be touched in between. present[i]: member i has an addend; members without one
  // still take part (their buffer is only written). All members pass the same `present`. weight is summed the same way.
  virtual void post(torch::Tensor buffer, double weight, std::vector<bool> present) = 0;
  // Waits for the oldest posted sum and returns the summed weight.
  virtual double wait() = 0;
};

class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Workers of this machine, this one included; and this one's place among them.
  virtual int local_size() const = 0;
  virtual int local_rank() const = 0;

  // Channels are named by (peer, id): both ends open the same id. At most one channel per id and direction is
  // open at a time. Channels and groups end before their communicator.
  virtual std::unique_ptr<SendChannel> open_send(int peer, int id, ChannelOptions options) = 0;
  virtual std::unique_ptr<ReceiveChannel> open_receive(int peer, int id, ChannelOptions options) = 0;
  // Called by every member with the same list (ascending ranks) and id. device: where this member's buffers are; all
  // say the same type.
  virtual std::unique_ptr<ReduceGroup> open_reduce(std::vector<int> members, int id,
                                                   torch::Device device = torch::kCPU) = 0;
  // Collective over all workers, after channels and groups of a device other than the CPU were opened and before they
  // are used: makes the connections that they need, of all at once.
  virtual void connect() {}

  // Collective over all workers: everyone's bytes, by rank. Every one of them calls it in the same order.
  virtual std::vector<std::string> all_gather(std::string_view bytes) = 0;
  void barrier() { all_gather(""); }

  // Drives communication that needs the processor; cheap, called before computing and between layers. Large transfers
  // then go on by themselves until the next wait. Throws what a wait throws when another worker has aborted.
  virtual void progress() = 0;
  // This worker has done something: the deadline of every wait anywhere starts again.
  virtual void note_progress() = 0;
  // Says what this worker does now, for messages of any worker. Called seldom, from any thread, until the next
  // set_status returns.
  virtual void set_status(std::function<std::string()> status) = 0;
  virtual void set_deadline(std::chrono::milliseconds deadline) = 0;

  // Tells all other workers why this one gives up; idempotent, returns at once, never throws, from any thread. Waits of
  // the others throw "worker R: CAUSE".
  virtual void abort(const std::string& cause) noexcept = 0;
};

// Runs `work` on n threads, each with its communicator; returns when all have ended. A worker that throws aborts the
// others; the exception of the first cause is thrown again here.
void run_in_threads(int workers, const std::function<void(Communicator&)>& work);

}  // namespace pipedream

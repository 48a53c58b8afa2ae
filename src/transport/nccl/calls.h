// What the NCCL communicator asks of NCCL: implemented by pipedream::cuda, and in tests by a stand-in that needs no
// GPU. Streams and events are those of LibTorch's device.
//
// Errors: CommunicationError with NCCL's own text.
#pragma once

#include <c10/core/Stream.h>
#include <torch/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pipedream::detail {

// One worker's end of an NCCL communicator. What it starts is queued on a stream; nothing waits for the device. Tensors
// are without gaps in memory and are held by the caller until the stream has done the work. One thread, but for
// failure() and abort().
class NcclConnection {
 public:
  virtual ~NcclConnection() = default;
  virtual void send(const torch::Tensor& tensor, int peer, const c10::Stream& stream) = 0;
  virtual void receive(const torch::Tensor& tensor, int peer, const c10::Stream& stream) = 0;
  // Every member's tensor becomes the sum of all.
  virtual void sum(const torch::Tensor& tensor, const c10::Stream& stream) = 0;

  // What NCCL has found wrong meanwhile.
  virtual std::optional<std::string> failure() = 0;
  // Work that waits for other members ends, its results being void; idempotent.
  virtual void abort() noexcept = 0;
};

// One worker's part in an NCCL communicator that is to be made.
struct NcclMembership {
  std::string id;  // of the communicator, from make_id
  int rank = 0;
  int size = 0;
};

class NcclCalls {
 public:
  virtual ~NcclCalls() = default;
  virtual std::string version() = 0;
  // Bytes that name a new communicator; to be known by all of its members.
  virtual std::string make_id() = 0;
  // This worker's ends, all made at the same time; returns when all other members have called it too. `check` is called
  // meanwhile and throws to give up.
  virtual std::vector<std::unique_ptr<NcclConnection>> connect(torch::Device device,
                                                               const std::vector<NcclMembership>& memberships,
                                                               const std::function<void()>& check) = 0;
  // A stream that nothing else uses, for as long as the process lives.
  virtual c10::Stream make_stream(torch::Device device) = 0;
  // What a thread starts between the two becomes one operation: it waits for nothing inside.
  virtual void start_group() = 0;
  virtual void end_group() = 0;
};

// The implementation that the program is linked with; null where there is none. Set before main.
NcclCalls* linked_nccl_calls();
void set_linked_nccl_calls(NcclCalls& calls);

}  // namespace pipedream::detail

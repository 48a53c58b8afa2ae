// The NCCL that pipedream::cuda is linked with.
#include "transport/nccl/calls.h"

#include <c10/cuda/CUDAStream.h>
#include <fmt/format.h>

#include <utility>

#include "cuda/check.h"
#include "cuda/connection.h"
#include "cuda/group.h"

namespace pipedream::detail {

namespace {

class LinkedCalls final : public NcclCalls {
 public:
  std::string version() override {
    int version = 0;
    check_nccl(ncclGetVersion(&version), "ncclGetVersion");
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
  }

  std::string make_id() override {
    ncclUniqueId id;
    check_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId");
    return {id.internal, sizeof id.internal};
  }

  std::vector<std::unique_ptr<NcclConnection>> connect(torch::Device device,
                                                       const std::vector<NcclMembership>& memberships,
                                                       const std::function<void()>& check) override {
    const DeviceScope scope(device);
    std::vector<std::unique_ptr<NcclConnection>> connections;
    Group& group = Group::of_this_thread();
    group.start();
    try {
      for (const NcclMembership& membership : memberships) {
        auto connection = std::make_unique<Connection>(device);
        connection->join(membership);
        connections.push_back(std::move(connection));
      }
    } catch (...) {
      group.drop();
      throw;
    }
    group.end(check);
    return connections;
  }

  // Never destroyed: LibTorch keeps streams' numbers for as long as the process lives, and the caller's tensors too.
  // Ahead of computing, which can wait: what is sent late holds up another worker.
  c10::Stream make_stream(torch::Device device) override {
    const DeviceScope scope(device);
    int least = 0;
    int greatest = 0;
    check_cuda(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
    cudaStream_t stream = nullptr;
    check_cuda(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest), "cudaStreamCreateWithPriority");
    return c10::cuda::getStreamFromExternal(stream, device.index()).unwrap();
  }

  void start_group() override { Group::of_this_thread().start(); }
  void end_group() override { Group::of_this_thread().end(); }
};

LinkedCalls& linked_calls() {
  static LinkedCalls calls;
  return calls;
}

[[maybe_unused]] const bool kIsRegistered = [] {
  set_linked_nccl_calls(linked_calls());
  return true;
}();

}  // namespace

}  // namespace pipedream::detail

// The linker is told this name, and so takes this file from a static library.
extern "C" void pipedream_cuda_is_linked() {}

#include "cuda/first_use.h"

#include <c10/cuda/CUDAStream.h>
#include <torch/types.h>

#include <algorithm>
#include <numeric>

#include "cuda/check.h"
#include "cuda/group.h"
#include "cuda/pause.h"

namespace pipedream::detail {

namespace {

void wait_for(const c10::cuda::CUDAStream& stream, const std::function<void()>& check) {
  Pause pause;
  while (true) {
    const cudaError_t state = cudaStreamQuery(stream.stream());
    if (state == cudaSuccess) return;
    if (state != cudaErrorNotReady) check_cuda(state, "cudaStreamQuery");
    check();
    pause.wait();
  }
}

void use(Connection& connection, const NcclMembership& membership, const torch::Tensor& tensor,
         const c10::Stream& stream, const std::function<void()>& check) {
  Group& group = Group::of_this_thread();
  group.start();
  if (membership.size == 2) {
    const int peer = 1 - membership.rank;
    connection.send(tensor[0], peer, stream);
    connection.receive(tensor[1], peer, stream);
  } else {
    connection.sum(tensor, stream);
  }
  group.end(check);
}

}  // namespace

void use_once(const std::vector<std::unique_ptr<Connection>>& connections,
              const std::vector<NcclMembership>& memberships, torch::Device device,
              const std::function<void()>& check) {
  // One after the other, in an order that all workers know: none waits for one that waits for it.
  std::vector<std::size_t> order(memberships.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return memberships[a].id < memberships[b].id; });
  const c10::cuda::CUDAStream stream = c10::cuda::getCurrentCUDAStream(device.index());
  const torch::Tensor tensor = torch::zeros({2}, device);
  for (const std::size_t i : order) {
    if (memberships[i].size < 2) continue;
    use(*connections[i], memberships[i], tensor, stream, check);
    wait_for(stream, check);
  }
}

}  // namespace pipedream::detail

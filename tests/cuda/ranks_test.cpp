// Connections between processes: each rank has a GPU, or, where each rank has an NCCL_HOSTID of its own, a part of one.
#include <mpi.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "devices.h"
#include "transport/nccl/calls.h"

using namespace pipedream::detail;
using namespace pipedream::testing;

namespace {

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int world_size() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

bool has_device_for_each_rank() { return has_devices(std::getenv("NCCL_HOSTID") != nullptr ? 1 : world_size()); }

torch::Device own_device() {
  return {torch::kCUDA, static_cast<c10::DeviceIndex>(world_rank() % c10::cuda::device_count())};
}

// Made by rank 0.
std::string shared_id() {
  std::string id = linked_nccl_calls()->make_id();
  MPI_Bcast(id.data(), static_cast<int>(id.size()), MPI_CHAR, 0, MPI_COMM_WORLD);
  return id;
}

torch::Tensor numbers(int first) { return torch::arange(first, first + 1000, torch::kFloat); }

}  // namespace

TEST_CASE("messages of both directions and a sum") {
  if (!has_device_for_each_rank()) return;
  NcclCalls& calls = *linked_nccl_calls();
  const int rank = world_rank();
  std::vector<NcclMembership> memberships;
  for (int i = 0; i < 3; ++i) {
    const std::string id = shared_id();
    const int size = i < 2 ? 2 : world_size();
    if (rank < size) memberships.push_back({id, rank, size});
  }
  const auto connections = calls.connect(own_device(), memberships, [] {});
  REQUIRE(connections.size() == memberships.size());

  const c10::Stream stream = calls.make_stream(own_device());
  const torch::Tensor mine = numbers(rank).to(own_device());
  const torch::Tensor received = torch::zeros_like(mine);
  const torch::Tensor sum = mine.clone();
  torch::cuda::synchronize();
  // A connection for each direction, 0 to 1 and 1 to 0, in one order on both sides.
  for (int sender = 0; sender < 2 && rank < 2; ++sender) {
    NcclConnection& connection = *connections[static_cast<std::size_t>(sender)];
    calls.start_group();
    if (rank == sender) connection.send(mine, 1 - rank, stream);
    if (rank != sender) connection.receive(received, 1 - rank, stream);
    calls.end_group();
  }
  connections.back()->sum(sum, stream);
  torch::cuda::synchronize();
  if (rank < 2) CHECK(received.cpu().equal(numbers(1 - rank)));
  const int size = world_size();
  CHECK(sum.cpu().equal(numbers(0) * size + static_cast<float>(size * (size - 1)) / 2));
  for (const auto& connection : connections) CHECK_FALSE(connection->failure());
}

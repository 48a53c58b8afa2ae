// NCCL as the communicator sees it, as far as one worker alone can tell.
#include "transport/nccl/calls.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <fmt/format.h>
#include <nccl.h>
#include <torch/cuda.h>

#include <catch2/catch.hpp>

#include "devices.h"
#include "pipedream/error.h"
#include "pipedream/nccl_communicator.h"

using namespace pipedream;
using namespace pipedream::detail;
using namespace pipedream::testing;

namespace {

const torch::Device kDevice(torch::kCUDA, 0);

NcclCalls& calls() {
  NcclCalls* const calls = linked_nccl_calls();
  REQUIRE(calls != nullptr);
  return *calls;
}

}  // namespace

TEST_CASE("the program is linked with NCCL and with LibTorch's CUDA side") {
  CHECK(has_nccl());
  CHECK(linked_nccl_calls() != nullptr);
  CHECK(c10::impl::hasDeviceGuardImpl(torch::kCUDA));
}

TEST_CASE("the library is of the version of its headers") {
  CHECK(calls().version() == fmt::format("{}.{}.{}", NCCL_MAJOR, NCCL_MINOR, NCCL_PATCH));
}

TEST_CASE("every id is another one") {
  const std::string one = calls().make_id();
  CHECK(one.size() == NCCL_UNIQUE_ID_BYTES);
  CHECK(calls().make_id() != one);
}

TEST_CASE("without a device the message says so") {
  if (!has_no_device()) return;
  const NcclMembership alone{.id = calls().make_id(), .rank = 0, .size = 1};
  const auto message = Catch::StartsWith("device cuda:0: CUDA error: ");
  CHECK_THROWS_AS(calls().make_stream(kDevice), CommunicationError);
  CHECK_THROWS_WITH(calls().make_stream(kDevice), message);
  CHECK_THROWS_AS(calls().connect(kDevice, {alone}, [] {}), CommunicationError);
  CHECK_THROWS_WITH(calls().connect(kDevice, {alone}, [] {}), message);
}

TEST_CASE("the sum of one member is its own tensor, until it aborts") {
  if (!has_devices(1)) return;
  const NcclMembership alone{.id = calls().make_id(), .rank = 0, .size = 1};
  const auto connections = calls().connect(kDevice, {alone}, [] {});
  REQUIRE(connections.size() == 1);
  const c10::Stream stream = calls().make_stream(kDevice);
  const torch::Tensor tensor = torch::arange(5, torch::dtype(torch::kFloat).device(kDevice));
  torch::cuda::synchronize();
  connections[0]->sum(tensor, stream);
  torch::cuda::synchronize();
  CHECK(tensor.cpu().equal(torch::arange(5, torch::kFloat)));
  CHECK_FALSE(connections[0]->failure());
  CHECK_THROWS_AS(connections[0]->sum(tensor.to(torch::kComplexFloat), stream), ConfigError);
  connections[0]->abort();
  connections[0]->abort();
  CHECK_THROWS_AS(connections[0]->sum(tensor, stream), CommunicationError);
}

TEST_CASE("who waits for a member that never comes can give up") {
  if (!has_devices(1)) return;
  const NcclMembership pair{.id = calls().make_id(), .rank = 0, .size = 2};
  int checks = 0;
  const auto give_up = [&] {
    if (++checks == 50) throw CommunicationError("worker 1: gone");
  };
  CHECK_THROWS_WITH(calls().connect(kDevice, {pair}, give_up), "worker 1: gone");
}

TEST_CASE("two streams are two") {
  if (!has_devices(1)) return;
  CHECK(calls().make_stream(kDevice) != calls().make_stream(kDevice));
}

// What is special to workers that are processes.
#include <mpi.h>

#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "pipedream/mpi_communicator.h"
#include "transport/contract.h"

namespace pipedream {
namespace {

using testing::expect;

TEST_CASE("all workers of this machine are local") {
  const auto communicator = make_mpi_communicator(MPI_COMM_WORLD);
  CHECK(communicator->size() == testing::most_workers());
  CHECK(communicator->local_size() == communicator->size());
  CHECK(communicator->local_rank() == communicator->rank());
}

TEST_CASE("two communicators of one process do not mix") {
  const auto one = make_mpi_communicator(MPI_COMM_WORLD);
  const auto two = make_mpi_communicator(MPI_COMM_WORLD, {.helper_thread = false, .part_bytes = 1});
  const std::string name = std::to_string(one->rank());
  const std::vector<std::string> first = one->all_gather("one " + name);
  const std::vector<std::string> second = two->all_gather("two " + name);
  for (int rank = 0; rank < one->size(); ++rank) {
    CHECK(first[static_cast<std::size_t>(rank)] == "one " + std::to_string(rank));
    CHECK(second[static_cast<std::size_t>(rank)] == "two " + std::to_string(rank));
  }
}

TEST_CASE("options and ids that MPI cannot serve are refused") {
  CHECK_THROWS_AS(make_mpi_communicator(MPI_COMM_NULL), ConfigError);
  CHECK_THROWS_WITH(make_mpi_communicator(MPI_COMM_WORLD, {.helper_thread = false, .part_bytes = 0}),
                    Catch::Contains("part_bytes is 0"));
  const auto communicator = make_mpi_communicator(MPI_COMM_WORLD);
  const int peer = (communicator->rank() + 1) % communicator->size();
  CHECK_THROWS_WITH(communicator->open_send(peer, 2'000'000'000, {}), Catch::Contains("largest tag"));
}

TEST_CASE("ends of a channel that disagree are told how, by the receiver") {
  const auto ends = testing::launch(2, [](Communicator& communicator) {
    if (communicator.rank() == 0) {
      const auto channel = communicator.open_send(1, 0, {.tensors = 2, .slots = 2});
      channel->post({{at::ones({2}), at::Tensor()}, 0});
      communicator.barrier();
    } else {
      const auto channel = communicator.open_receive(0, 0, {.tensors = 2, .slots = 3});
      channel->post();
      channel->wait();
    }
  });
  CHECK_THAT(ends[1], Catch::Contains("one end has 2 tensors and 2 slots, the other 2 and 3"));
  CHECK(ends[0] == "worker 1: " + ends[1]);
}

TEST_CASE("a message of more than 2^31 bytes arrives", "[large]") {
  const auto communicator = make_mpi_communicator(MPI_COMM_WORLD);
  constexpr std::int64_t size = (std::int64_t{1} << 31) + 12345;
  const ChannelOptions options{.tensors = 1, .slots = 1};
  // At the ends, and where int and the parts of 1 GiB end.
  const std::vector<std::int64_t> places = {
      0, (1 << 30) - 1, 1 << 30, (std::int64_t{1} << 31) - 1, std::int64_t{1} << 31, size - 1};
  if (communicator->rank() == 0) {
    const auto channel = communicator->open_send(1, 0, options);
    const at::Tensor tensor = at::zeros({size}, at::kByte);
    for (std::size_t i = 0; i < places.size(); ++i) tensor[places[i]] = static_cast<int>(i + 1);
    channel->post({{tensor}, 0});
    channel->wait();
  } else if (communicator->rank() == 1) {
    const auto channel = communicator->open_receive(0, 0, options);
    channel->post();
    const at::Tensor tensor = channel->wait().tensors[0];
    REQUIRE(tensor.numel() == size);
    for (std::size_t i = 0; i < places.size(); ++i) CHECK(tensor[places[i]].item<int>() == static_cast<int>(i + 1));
    CHECK(tensor.count_nonzero().item<std::int64_t>() == 6);
  }
  communicator->barrier();
}

TEST_CASE("more dimensions than a header has room for are refused") {
  const auto communicator = make_mpi_communicator(MPI_COMM_WORLD);
  const int peer = (communicator->rank() + 1) % communicator->size();
  const auto channel = communicator->open_send(peer, 0, {.tensors = 1, .slots = 1});
  const at::Tensor tensor = at::zeros(std::vector<std::int64_t>(65, 1));
  CHECK_THROWS_WITH(channel->post({{tensor}, 0}), Catch::Contains("65 dimensions"));
}

TEST_CASE("an MPI program knows that it was launched") { CHECK(MpiScope::launched()); }

}  // namespace
}  // namespace pipedream

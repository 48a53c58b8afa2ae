#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "pipedream/error.h"
#include "transport/contract.h"

namespace pipedream {
namespace {

using namespace std::chrono_literals;
using testing::all_well;
using testing::expect;
using testing::launch;

const ChannelOptions kOptions{.tensors = 1, .slots = 1};

// Waits for what nobody will do, in one of several ways.
void wait_in_vain(Communicator& communicator, int peer, const std::string& way) {
  if (way == "receive") {
    const auto channel = communicator.open_receive(peer, 5, kOptions);
    channel->post();
    channel->wait();
  } else if (way == "send") {
    const auto channel = communicator.open_send(peer, 5, kOptions);
    channel->post({{at::zeros({1 << 20})}, 0});
    channel->wait();
  } else if (way == "reduce") {
    std::vector<int> members = {std::min(peer, communicator.rank()), std::max(peer, communicator.rank())};
    const auto group = communicator.open_reduce(members, 10 + communicator.rank());
    group->post(at::zeros({1 << 20}), 1, {true, true});
    group->wait();
  } else if (way == "all_gather") {
    communicator.all_gather("x");
  } else {
    while (true) communicator.progress();
  }
}

TEST_CASE("an abort reaches whoever waits, however it waits") {
  const std::string way = GENERATE("receive", "send", "reduce", "all_gather", "progress");
  const int workers = testing::most_workers();
  const auto ends = launch(workers, [&](Communicator& communicator) {
    if (communicator.rank() == 1) throw std::runtime_error("layer 'conv1' ran out of paper");
    wait_in_vain(communicator, 1, way);
  });
  for (int rank = 0; rank < workers; ++rank) {
    const std::string& end = ends[static_cast<std::size_t>(rank)];
    CHECK(end == (rank == 1 ? "layer 'conv1' ran out of paper" : "worker 1: layer 'conv1' ran out of paper"));
  }
}

TEST_CASE("an abort by hand is heard too, and only the first cause counts") {
  const auto ends = launch(2, [](Communicator& communicator) {
    if (communicator.rank() == 1) {
      communicator.abort("first");
      communicator.abort("second");
      throw std::runtime_error("third");
    }
    wait_in_vain(communicator, 1, "receive");
  });
  CHECK(ends == std::vector<std::string>{"worker 1: first", "third"});
}

TEST_CASE("a deadline names who waits, for whom, and what every worker does") {
  const std::string way = GENERATE("receive", "send", "reduce", "all_gather");
  const int workers = testing::most_workers();
  const auto ends = launch(workers, [&](Communicator& communicator) {
    const int me = communicator.rank();
    communicator.set_status([me] { return "F" + std::to_string(me) + ".7@v4"; });
    communicator.set_deadline(400ms);
    // All have said what they do before one of them begins to wait.
    communicator.barrier();
    communicator.progress();
    if (me == 0) wait_in_vain(communicator, 1, way);
    // The others do nothing until they hear of it.
    while (true) {
      communicator.progress();
      std::this_thread::sleep_for(1ms);
    }
  });
  CHECK_THAT(ends[0], Catch::StartsWith("worker 0 (F0.7@v4) waited"));
  CHECK_THAT(ends[0], Catch::Contains("deadline of 0.4 s"));
  for (int rank = 0; rank < workers; ++rank) {
    const std::string name = std::to_string(rank);
    CHECK_THAT(ends[0], Catch::Contains("worker " + name + ": F" + name + ".7@v4, last progress"));
    if (rank > 0) CHECK(ends[static_cast<std::size_t>(rank)] == "worker 0: " + ends[0]);
  }
  if (way == "receive") CHECK_THAT(ends[0], Catch::Contains("for message 0, peer worker 1, id 5"));
  if (way == "send") CHECK_THAT(ends[0], Catch::Contains("message 0, peer worker 1, id 5"));
  if (way == "reduce") CHECK_THAT(ends[0], Catch::Contains("reduction 0, id 10"));
}

TEST_CASE("progress of any worker extends the deadline of all waits") {
  const auto ends = launch(testing::most_workers(), [](Communicator& communicator) {
    const int last = communicator.size() - 1;
    communicator.set_deadline(500ms);
    communicator.barrier();
    if (communicator.rank() == last) {
      // Four deadlines long.
      for (int step = 0; step < 40; ++step) {
        std::this_thread::sleep_for(50ms);
        communicator.note_progress();
        communicator.progress();
      }
    }
    communicator.barrier();
  });
  CHECK(ends == all_well(testing::most_workers()));
}

TEST_CASE("a message that comes in time restarts the deadline") {
  const auto ends = launch(2, [](Communicator& communicator) {
    communicator.set_deadline(500ms);
    if (communicator.rank() == 0) {
      const auto channel = communicator.open_send(1, 0, kOptions);
      for (int k = 0; k < 10; ++k) {
        std::this_thread::sleep_for(150ms);
        channel->post({{at::zeros({1})}, 0});
        channel->wait();
      }
    } else {
      const auto channel = communicator.open_receive(0, 0, kOptions);
      for (int k = 0; k < 10; ++k) {
        channel->post();
        channel->wait();
      }
    }
  });
  CHECK(ends == all_well(2));
}

}  // namespace
}  // namespace pipedream

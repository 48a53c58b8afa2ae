// What only the communicator over NCCL can get wrong. NCCL is the stand-in of tests/simulated.
#include "simulated/nccl.h"

#include <catch2/catch.hpp>
#include <memory>

#include "pipedream/error.h"
#include "pipedream/nccl_communicator.h"
#include "simulated/device.h"
#include "transport/contract.h"
#include "transport/device.h"
#include "transport/messages.h"
#include "transport/nccl/communicator.h"

namespace pipedream {
namespace {

using namespace std::chrono_literals;
using testing::all_well;
using testing::expect;
using testing::expect_throw;
using testing::launch;
using testing::numbers;
using testing::same;
using testing::simulated_device;
using testing::SimulatedNccl;
using testing::SimulatedNcclOptions;

const ChannelOptions kOptions{.tensors = 1, .slots = 2, .device = torch::kCPU};

// What each worker ended with, each with its own NCCL and nothing connected.
std::vector<std::string> endings(int workers, const std::function<SimulatedNcclOptions(int rank)>& options,
                                 const std::function<void(Communicator&)>& work) {
  std::vector<std::string> ends(static_cast<std::size_t>(workers));
  try {
    run_in_threads(workers, [&](Communicator& host) {
      const detail::StreamScope stream(detail::make_stream(simulated_device()));
      SimulatedNccl nccl(options(host.rank()));
      try {
        const auto communicator = detail::make_nccl_communicator(host, simulated_device(), &nccl);
        communicator->set_deadline(300ms);
        work(*communicator);
        communicator->barrier();
      } catch (const std::exception& error) {
        ends[static_cast<std::size_t>(host.rank())] = error.what();
        throw;
      }
    });
  } catch (const std::exception&) {
  }
  testing::take_findings();
  return ends;
}

// Both workers send, then receive: with one stream for both directions each send waits for a receive that is behind the
// other's send.
void exchange(Communicator& communicator) {
  const ChannelOptions options{.tensors = 1, .slots = 1, .device = simulated_device()};
  const int peer = 1 - communicator.rank();
  const auto send = communicator.open_send(peer, 0, options);
  const auto receive = communicator.open_receive(peer, 0, options);
  communicator.connect();
  for (int k = 0; k < 3; ++k) {
    send->post({{at::full({100}, k, at::device(simulated_device()))}, 0});
    receive->post();
    const Message message = receive->wait();
    expect(at::equal(message.tensors[0].cpu(), at::full({100}, k)), "the message of this turn");
    send->wait();
  }
}

TEST_CASE("an order of operations that NCCL does not stand is found, and ends the run with its cause") {
  const auto good = endings(
      2, [](int) { return SimulatedNcclOptions{}; }, exchange);
  CHECK(good == all_well(2));
  const auto bad = endings(
      2, [](int) { return SimulatedNcclOptions{.one_stream = true}; }, exchange);
  for (const std::string& end : bad) {
    CHECK_THAT(end, Catch::Contains("waited") && Catch::Contains("no worker made progress for the deadline of 0.3 s"));
  }
}

TEST_CASE("messages of several channels to one worker may be waited for in any order") {
  const auto ends = launch(2, [](Communicator& communicator) {
    constexpr int channels = 4;
    std::vector<std::unique_ptr<SendChannel>> senders;
    std::vector<std::unique_ptr<ReceiveChannel>> receivers;
    for (int id = 1; id <= channels; ++id) {
      if (communicator.rank() == 0) {
        senders.push_back(communicator.open_send(1, id, kOptions));
        senders.back()->post({{numbers({10 * id})}, double(id)});
      } else {
        receivers.push_back(communicator.open_receive(0, id, kOptions));
      }
    }
    // The last that was sent is waited for before the others are posted.
    for (auto receiver = receivers.rbegin(); receiver != receivers.rend(); ++receiver) {
      const std::int64_t id = receivers.rend() - receiver;
      (*receiver)->post();
      const Message message = (*receiver)->wait();
      expect(message.weight == double(id) && same(message.tensors[0], numbers({10 * id})),
             "the message of this channel");
    }
    for (const auto& sender : senders) sender->wait();
  });
  CHECK(ends == all_well(2));
}

TEST_CASE("workers with different versions of NCCL are told, all of them") {
  const auto versions = [](int rank) { return SimulatedNcclOptions{.version = rank == 0 ? "2.28.9" : "2.27.1"}; };
  for (const std::string& end : endings(3, versions, [](Communicator&) {})) {
    CHECK_THAT(end, Catch::Contains("workers 0 and 1 differ in NCCL version: 2.28.9 and 2.27.1"));
  }
}

TEST_CASE("a program without NCCL says so") {
  CHECK_FALSE(has_nccl());
  const auto ends = launch(2, [](Communicator& communicator) {
    expect_throw<ConfigError>("not linked with pipedream::cuda",
                              [&] { make_nccl_communicator(communicator, simulated_device()); });
  });
  CHECK(ends == all_well(2));
}

TEST_CASE("what is not connected, or not at both ends, is refused with its name") {
  const auto defaults = [](int) { return SimulatedNcclOptions{}; };
  const ChannelOptions options{.tensors = 1, .slots = 1, .device = simulated_device()};
  const auto unconnected = endings(2, defaults, [&](Communicator& communicator) {
    const auto send = communicator.open_send(1 - communicator.rank(), 3, options);
    expect_throw<ConfigError>("connect()", [&] { send->post({{at::ones({1}, at::device(simulated_device()))}, 0}); });
    const auto group = communicator.open_reduce({0, 1}, 5, simulated_device());
    expect_throw<ConfigError>("connect()", [&] {
      group->post(at::ones({1}, at::device(simulated_device())), 1, {true, true});
    });
  });
  CHECK(unconnected == all_well(2));
  const auto one_sided = endings(2, defaults, [&](Communicator& communicator) {
    std::unique_ptr<SendChannel> send;
    if (communicator.rank() == 0) send = communicator.open_send(1, 3, options);
    communicator.connect();
  });
  for (const std::string& end : one_sided) {
    CHECK_THAT(end, Catch::Contains("worker 1: worker 0 has opened a channel to worker 1, this one has not"));
  }
}

TEST_CASE("NCCL's own errors end the run on every worker with their text") {
  const auto ends = endings(
      3, [](int) { return SimulatedNcclOptions{}; },
      [](Communicator& communicator) {
        const auto group = communicator.open_reduce({0, 1, 2}, 0, simulated_device());
        communicator.connect();
        communicator.barrier();
        if (communicator.rank() == 0) testing::fail_simulated_nccl("NCCL: unhandled cuda error: the cable is out");
        while (true) communicator.progress();
      });
  testing::fail_simulated_nccl("");
  for (const std::string& end : ends) CHECK_THAT(end, Catch::Contains("the cable is out"));
}

}  // namespace
}  // namespace pipedream

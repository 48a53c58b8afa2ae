// The links between threads that benchmarks emulate.
#include "bench/emulated_link.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "pipedream/error.h"
#include "transport/contract.h"

namespace pipedream::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kFloats = 1 << 10;
constexpr double kTransferSeconds = 0.04;
constexpr double kRate = 4.0 * kFloats / kTransferSeconds;
constexpr int kMessages = 3;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Message numbered(int i) { return {{torch::full({kFloats}, i, torch::kFloat32)}, static_cast<double>(i)}; }

TEST_CASE("messages over an emulated link arrive one after the other, both ways at once") {
  const auto ends = launch(2, [](Communicator& threads) {
    const auto comm = bench::over_emulated_links(threads, kRate);
    const int peer = 1 - comm->rank();
    const auto sender = comm->open_send(peer, 0, {.slots = kMessages});
    const auto receiver = comm->open_receive(peer, 0, {.slots = kMessages});
    for (int i = 0; i < kMessages; ++i) receiver->post();
    const auto start = Clock::now();
    comm->barrier();
    for (int i = 0; i < kMessages; ++i) sender->post(numbered(i));
    for (int i = 0; i < kMessages; ++i) {
      const Message message = receiver->wait();
      expect(message.weight == i && message.tensors.front().equal(torch::full({kFloats}, i, torch::kFloat32)),
             "the messages in order");
      expect(seconds_since(start) >= 0.999 * (i + 1) * kTransferSeconds, "a transfer's time for each");
      sender->wait();
    }
  });
  CHECK(ends == all_well(2));
}

TEST_CASE("an emulated transfer starts when its receive is posted") {
  const auto ends = launch(2, [](Communicator& threads) {
    const auto comm = bench::over_emulated_links(threads, kRate);
    if (comm->rank() == 0) {
      const auto sender = comm->open_send(1, 0, {.slots = 1});
      sender->post(numbered(0));
      comm->barrier();
      sender->wait();
    } else {
      const auto receiver = comm->open_receive(0, 0, {.slots = 1});
      comm->barrier();
      const auto start = Clock::now();
      receiver->post();
      receiver->wait();
      expect(seconds_since(start) >= 0.999 * kTransferSeconds, "the whole transfer after the receive");
    }
  });
  CHECK(ends == all_well(2));
}

TEST_CASE("who waits for an emulated link hears that another worker gives up") {
  const auto ends = launch(2, [](Communicator& threads) {
    const auto comm = bench::over_emulated_links(threads, kRate / 1e6);
    if (comm->rank() == 0) {
      const auto sender = comm->open_send(1, 0, {.slots = 1});
      sender->post(numbered(0));
      comm->barrier();
      throw std::runtime_error("enough");
    }
    const auto receiver = comm->open_receive(0, 0, {.slots = 1});
    receiver->post();
    comm->barrier();
    receiver->wait();
  });
  CHECK(ends == std::vector<std::string>{"enough", "worker 0: enough"});
}

}  // namespace
}  // namespace pipedream::testing

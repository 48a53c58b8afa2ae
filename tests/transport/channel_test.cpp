#include <catch2/catch.hpp>
#include <memory>

#include "pipedream/error.h"
#include "transport/contract.h"
#include "transport/messages.h"

namespace pipedream {
namespace {

using testing::all_well;
using testing::check_same;
using testing::expect;
using testing::expect_throw;
using testing::launch;
using testing::numbers;
using testing::pass;
using testing::same;

TEST_CASE("what was received is not shared with the sender nor with later messages") {
  const auto ends = launch(2, [](Communicator& communicator) {
    constexpr int count = 6;
    if (communicator.rank() == 0) {
      const auto channel = communicator.open_send(1, 0, {.tensors = 1, .slots = 1});
      const at::Tensor tensor = at::empty({1000});
      for (int k = 0; k < count; ++k) {
        tensor.fill_(k);
        channel->post({{tensor}, 0});
        channel->wait();
        tensor.fill_(-1);
      }
    } else {
      const auto channel = communicator.open_receive(0, 0, {.tensors = 1, .slots = 1});
      std::vector<at::Tensor> kept;
      for (int k = 0; k < count; ++k) {
        channel->post();
        kept.push_back(channel->wait().tensors[0]);
      }
      for (int k = 0; k < count; ++k)
        expect(same(kept[static_cast<std::size_t>(k)], at::full({1000}, k, at::kFloat)), "value k");
    }
  });
  CHECK(ends == all_well(2));
}

TEST_CASE("many channels between all workers, in both directions, keep their order") {
  const int workers = testing::most_workers();
  const auto ends = launch(workers, [&](Communicator& communicator) {
    constexpr int channels = 3;
    constexpr int rounds = 20;
    const ChannelOptions options{.tensors = 1, .slots = 2};
    const int me = communicator.rank();
    const auto value = [](int from, int to, int id, int k) { return from * 1e6 + to * 1e4 + id * 1e3 + k; };
    struct Pair {
      int peer, id;
      std::unique_ptr<SendChannel> send;
      std::unique_ptr<ReceiveChannel> receive;
    };
    std::vector<Pair> pairs;
    for (int peer = 0; peer < workers; ++peer) {
      for (int id = 0; id < channels && peer != me; ++id) {
        pairs.push_back(
            {peer, id, communicator.open_send(peer, id, options), communicator.open_receive(peer, id, options)});
        pairs.back().receive->post();
        pairs.back().receive->post();
      }
    }
    for (int k = 0; k < rounds; ++k) {
      for (Pair& pair : pairs) {
        if (k >= options.slots) pair.send->wait();
        pair.send->post({{at::full({1 + (k * 37) % 100}, value(me, pair.peer, pair.id, k), at::kDouble)}, double(k)});
      }
      // Another order than that of the sends.
      for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
        const Message message = pair->receive->wait();
        if (k + options.slots < rounds) pair->receive->post();
        expect(message.weight == k, "messages in order");
        expect(
            same(message.tensors[0], at::full({1 + (k * 37) % 100}, value(pair->peer, me, pair->id, k), at::kDouble)),
            "the message of this channel");
      }
      communicator.progress();
    }
    for (Pair& pair : pairs) {
      for (int slot = 0; slot < options.slots; ++slot) pair.send->wait();
    }
  });
  CHECK(ends == all_well(workers));
}

TEST_CASE("an id may be opened again after it was closed") {
  const auto ends = launch(2, [](Communicator& communicator) {
    for (int turn = 0; turn < 3; ++turn) {
      // Sizes differ, so nothing of an earlier turn may be remembered.
      pass(communicator, {{{numbers({10 + turn * 1000})}, 0}, {{numbers({10})}, 0}}, {.tensors = 1, .slots = 1},
           check_same);
    }
  });
  CHECK(ends == all_well(2));
}

TEST_CASE("misuse of channels is refused") {
  const auto ends = launch(2, [](Communicator& communicator) {
    const int peer = 1 - communicator.rank();
    const ChannelOptions options{.tensors = 1, .slots = 2};
    expect_throw<ConfigError>("channel 3", [&] { communicator.open_send(communicator.rank(), 3, options); });
    expect_throw<ConfigError>("workers of 0 to 1", [&] { communicator.open_receive(2, 3, options); });
    expect_throw<ConfigError>("not negative", [&] { communicator.open_send(peer, -1, options); });
    expect_throw<ConfigError>("0 slots", [&] { communicator.open_send(peer, 3, {.tensors = 1, .slots = 0}); });
    const auto send = communicator.open_send(peer, 3, options);
    const auto receive = communicator.open_receive(peer, 3, options);
    expect_throw<ConfigError>("open already", [&] { communicator.open_send(peer, 3, options); });
    expect_throw<ConfigError>("open already", [&] { communicator.open_receive(peer, 3, options); });
    expect_throw<ConfigError>("0 tensors", [&] { send->post({{}, 0}); });
    expect_throw<ConfigError>("wait for message 0", [&] { send->wait(); });
    expect_throw<ConfigError>("wait for message 0", [&] { receive->wait(); });
    expect_throw<ConfigError>("Sparse", [&] { send->post({{at::eye(3).to_sparse()}, 0}); });
    receive->post();
    receive->post();
    expect_throw<ConfigError>("2 slots", [&] { receive->post(); });
    send->post({{at::ones({2})}, 0});
    send->post({{at::ones({2})}, 0});
    expect_throw<ConfigError>("2 slots", [&] { send->post({{at::ones({2})}, 0}); });
    for (int k = 0; k < 2; ++k) {
      receive->wait();
      send->wait();
    }
  });
  CHECK(ends == all_well(2));
}

}  // namespace
}  // namespace pipedream

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>

#include "pipedream/error.h"
#include "transport/contract.h"

namespace pipedream {
namespace {

using testing::all_well;
using testing::expect;
using testing::expect_throw;
using testing::launch;

at::Tensor numbers(at::IntArrayRef sizes, at::ScalarType dtype = at::kFloat, double first = 0.5) {
  return (at::arange(c10::multiply_integers(sizes), at::kDouble).mul_(1.25) + first).reshape(sizes).to(dtype);
}

bool same(const at::Tensor& one, const at::Tensor& other) {
  if (one.defined() != other.defined()) return false;
  if (!one.defined()) return true;
  return one.dtype() == other.dtype() && one.sizes() == other.sizes() && at::equal(one, other);
}

bool aligned(const at::Tensor& tensor) { return reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 64 == 0; }

// Worker 0 sends the messages to worker 1, which checks each against what `messages` gives it.
void pass(Communicator& communicator, const std::vector<Message>& messages, ChannelOptions options,
          const std::function<void(const Message&, const Message&)>& check) {
  const std::size_t slots = static_cast<std::size_t>(options.slots);
  if (communicator.rank() == 0) {
    const auto channel = communicator.open_send(1, 7, options);
    for (std::size_t k = 0; k < messages.size(); ++k) {
      if (k >= slots) channel->wait();
      channel->post(messages[k]);
    }
    for (std::size_t k = 0; k < std::min(slots, messages.size()); ++k) channel->wait();
  }
  if (communicator.rank() == 1) {
    const auto channel = communicator.open_receive(0, 7, options);
    for (std::size_t k = 0; k < std::min(slots, messages.size()); ++k) channel->post();
    for (std::size_t k = 0; k < messages.size(); ++k) {
      const Message message = channel->wait();
      if (k + slots < messages.size()) channel->post();
      check(messages[k], message);
    }
  }
}

void check_same(const Message& sent, const Message& received) {
  expect(received.tensors.size() == sent.tensors.size(), "as many tensors as were sent");
  for (std::size_t i = 0; i < sent.tensors.size(); ++i) {
    const at::Tensor& tensor = received.tensors[i];
    expect(same(sent.tensors[i], tensor), "tensor " + std::to_string(i) + " as it was sent");
    if (!tensor.defined()) continue;
    expect(aligned(tensor), "an address that 64 divides");
    expect(tensor.data_ptr() != sent.tensors[i].data_ptr() || tensor.numel() == 0, "a copy");
    expect(!tensor.requires_grad(), "no gradient");
  }
}

TEST_CASE("every dtype and shape arrives as it was sent") {
  const auto ends = launch(2, [](Communicator& communicator) {
    std::vector<Message> messages;
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kLong, at::kInt,
                                       at::kByte, at::kBool, at::kComplexFloat}) {
      messages.push_back({{numbers({3, 4, 5}, dtype), numbers({}, dtype), numbers({7}, dtype)}, 1.5});
    }
    messages.push_back({{at::empty({0}), at::empty({3, 0, 2}, at::kLong), at::Tensor()}, -0.0});
    messages.push_back({{at::Tensor(), at::Tensor(), at::Tensor()}, std::numeric_limits<double>::infinity()});
    messages.push_back({{numbers({1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 2, 3}), at::Tensor(), numbers({5})}, 1e-300});
    messages.push_back({{numbers({4}).requires_grad_() * 2, at::conj(numbers({4}, at::kComplexFloat)),
                         numbers({2, 2}).expand({5, 2, 2})},
                        1});
    pass(communicator, messages, {.tensors = 3, .slots = 2}, [](const Message& sent, const Message& received) {
      check_same(sent, received);
      expect(received.weight == sent.weight && std::signbit(received.weight) == std::signbit(sent.weight),
             "the weight as it was sent");
    });
  });
  CHECK(ends == all_well(2));
}

TEST_CASE("strides arrive; those of tensors with gaps or overlaps as their dense copy has them") {
  const auto ends = launch(2, [](Communicator& communicator) {
    const at::Tensor image = numbers({2, 3, 4, 5});
    const std::vector<at::Tensor> tensors = {image.to(at::MemoryFormat::ChannelsLast),
                                             image.transpose(0, 3),
                                             image.permute({2, 0, 3, 1}),
                                             image.narrow(3, 1, 3),
                                             image.slice(2, 0, 4, 2).transpose(1, 2),
                                             numbers({3, 1}).expand({3, 4}),
                                             image.select(0, 1),
                                             numbers({6}).as_strided({2, 3}, {1, 2}),
                                             numbers({6}).as_strided({2, 1, 3}, {3, 77, 1})};
    std::vector<Message> messages;
    for (const at::Tensor& tensor : tensors) messages.push_back({{tensor}, 0});
    pass(communicator, messages, {.tensors = 1, .slots = 3}, [](const Message& sent, const Message& received) {
      check_same(sent, received);
      const at::Tensor reference = sent.tensors[0].clone(at::MemoryFormat::Preserve);
      expect(received.tensors[0].strides() == reference.strides(), "strides of the dense copy");
      if (sent.tensors[0].is_non_overlapping_and_dense()) {
        expect(received.tensors[0].strides() == sent.tensors[0].strides(), "strides as they were sent");
      }
    });
  });
  CHECK(ends == all_well(2));
}

TEST_CASE("messages of one channel may grow and shrink") {
  const int slots = GENERATE(1, 2, 3);
  const auto ends = launch(2, [&](Communicator& communicator) {
    std::vector<Message> messages;
    double k = 0;
    for (const std::int64_t size : {4,      4, 4, 5,      1,      0,  3000, 3000, 2999, 70000, 70001, 2,    70001,
                                    300000, 0, 0, 300000, 300001, 12, 1,    1,    1,    50000, 49999, 50000}) {
      const auto other = static_cast<std::int64_t>(k) % 3 == 1 ? at::Tensor() : numbers({2, size / 2}, at::kLong, k);
      messages.push_back({{numbers({size}, at::kFloat, k), other}, k});
      ++k;
    }
    pass(communicator, messages, {.tensors = 2, .slots = slots}, [](const Message& sent, const Message& received) {
      check_same(sent, received);
      expect(received.weight == sent.weight, "the message of this turn");
    });
  });
  CHECK(ends == all_well(2));
}

TEST_CASE("payloads of any length are told from what is said of other messages") {
  const auto ends = launch(2, [](Communicator& communicator) {
    std::vector<Message> messages;
    // Each size twice: as a change, and as expected. What is said of one tensor has a length among these.
    for (std::int64_t size = 0; size < 300; ++size) {
      messages.push_back({{numbers({size}, at::kByte, double(size))}, 1});
      messages.push_back({{numbers({size}, at::kByte, double(size) + 1)}, 1});
      messages.push_back({{numbers({size}, at::kByte, double(size) + 2)}, 2});
    }
    pass(communicator, messages, {.tensors = 1, .slots = 1}, [](const Message& sent, const Message& received) {
      check_same(sent, received);
      expect(received.weight == sent.weight, "the weight as it was sent");
    });
  });
  CHECK(ends == all_well(2));
}

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

TEST_CASE("a channel may carry only weights") {
  const auto ends = launch(2, [](Communicator& communicator) {
    pass(communicator, {{{}, 1.0}, {{}, 2.0}, {{}, 3.0}}, {.tensors = 0, .slots = 2},
         [](const Message& sent, const Message& received) { expect(received.weight == sent.weight, "the weight"); });
  });
  CHECK(ends == all_well(2));
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

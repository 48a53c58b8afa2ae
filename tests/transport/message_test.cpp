#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

#include "transport/contract.h"
#include "transport/messages.h"

namespace pipedream {
namespace {

using testing::all_well;
using testing::check_same;
using testing::expect;
using testing::launch;
using testing::numbers;
using testing::pass;

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

TEST_CASE("a channel may carry only weights") {
  const auto ends = launch(2, [](Communicator& communicator) {
    pass(communicator, {{{}, 1.0}, {{}, 2.0}, {{}, 3.0}}, {.tensors = 0, .slots = 2},
         [](const Message& sent, const Message& received) { expect(received.weight == sent.weight, "the weight"); });
  });
  CHECK(ends == all_well(2));
}

}  // namespace
}  // namespace pipedream

#include "transport/messages.h"

#include <cstdint>

#include "transport/contract.h"

namespace pipedream::testing {

at::Tensor numbers(at::IntArrayRef sizes, at::ScalarType dtype, double first) {
  return (at::arange(c10::multiply_integers(sizes), at::kDouble).mul_(1.25) + first).reshape(sizes).to(dtype);
}

bool same(const at::Tensor& one, const at::Tensor& other) {
  if (one.defined() != other.defined()) return false;
  if (!one.defined()) return true;
  return one.dtype() == other.dtype() && one.sizes() == other.sizes() && at::equal(one, other);
}

namespace {

bool aligned(const at::Tensor& tensor) { return reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 64 == 0; }

}  // namespace

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

}  // namespace pipedream::testing

// Messages for the contract tests, and the way from one worker to another.
#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

#include "pipedream/communicator.h"

namespace pipedream::testing {

at::Tensor numbers(at::IntArrayRef sizes, at::ScalarType dtype = at::kFloat, double first = 0.5);

bool same(const at::Tensor& one, const at::Tensor& other);

// Worker 0 sends the messages to worker 1, which checks each against what `messages` gives it.
void pass(Communicator& communicator, const std::vector<Message>& messages, ChannelOptions options,
          const std::function<void(const Message&, const Message&)>& check);

void check_same(const Message& sent, const Message& received);

}  // namespace pipedream::testing

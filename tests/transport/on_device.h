// The contract tests use tensors of the CPU. Here they travel as tensors of a device.
#pragma once

#include <memory>

#include "pipedream/communicator.h"

namespace pipedream::testing {

// A communicator that moves what it is given to the device, and back what it returns; on the CPU it changes nothing.
// `inner` lives longer.
std::unique_ptr<Communicator> on_device(Communicator& inner, torch::Device device);

}  // namespace pipedream::testing

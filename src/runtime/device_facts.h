// What a profile says of the devices that it was measured on.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

#include "pipedream/communicator.h"

namespace pipedream::detail {

// For people: the processor's name; of another device its type and number.
std::string device_name(torch::Device device);

// "cuda:0 of HOST": the same for all workers that share the device.
std::string place_of(torch::Device device);

// The name of this worker's machine.
std::string machine_name();

// Collective. The memory of each worker's device, shared evenly by the workers that compute on it, where that is least.
// 0 where it is not known: on the CPU, and where LibTorch's allocator does not tell.
std::int64_t memory_bytes_per_worker(Communicator& comm, torch::Device device);

}  // namespace pipedream::detail

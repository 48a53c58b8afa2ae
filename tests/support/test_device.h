// The device that the tests of this run use: the environment variable PIPEDREAM_TEST_DEVICE, "cpu" if there is none.
#pragma once

#include <torch/types.h>

#include <string>

namespace pipedream::testing {

// "cpu", "cuda", or "sim", the simulated device of tests/simulated.
torch::Device test_device();

// What a simulated device has found to be wrong since the last call; empty elsewhere.
std::string device_faults();

}  // namespace pipedream::testing

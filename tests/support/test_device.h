// The device that the tests of this run use: the environment variable PIPEDREAM_TEST_DEVICE, "cpu" if there is none.
// With PIPEDREAM_TEST_NCCL=1 its tensors travel over NCCL.
#pragma once

#include <torch/types.h>

#include <functional>
#include <string>

#include "pipedream/communicator.h"

namespace pipedream::testing {

// "cpu", "cuda", or "sim", the simulated device of tests/simulated.
torch::Device test_device();

// run_in_threads, with a communicator that takes the tensors of this run's device.
void run_test_workers(int workers, const std::function<void(Communicator&)>& work);

// What a simulated device has found to be wrong since the last call; empty elsewhere.
std::string device_faults();

}  // namespace pipedream::testing

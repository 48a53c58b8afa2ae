// What --device and --transport mean for a run.
#pragma once

#include <memory>
#include <string>

#include "app/options.h"
#include "pipedream/communicator.h"

namespace pipedream::detail {

// Of what a person wrote. ConfigError for what is no device.
torch::Device parse_device(const std::string& text);

// Collective: the device of --device, of "cuda" without a number the one that the placement in --plan has for this
// worker, where workers and machines are as it says; else none is named. Warns where workers of one server of the plan
// run on different machines.
torch::Device placed_device(Communicator& comm, const Options& options);

// Collective. Throws ConfigError on all workers where one of them lacks the device.
void check_device(Communicator& comm, const Options& options);

// Collective: the communicator over NCCL for the tensors of the run's device, or null where the host's carries them,
// after a warning where that is not what one would wish. `host` lives longer.
std::unique_ptr<Communicator> open_nccl(Communicator& host, const Options& options);

}  // namespace pipedream::detail

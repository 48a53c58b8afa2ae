// The communicator over NCCL and one of the host: a thin face of the engine.
#pragma once

#include <memory>

#include "pipedream/communicator.h"
#include "transport/nccl/calls.h"

namespace pipedream::detail {

// make_nccl_communicator with any implementation of NCCL's calls; null where the program has none.
std::unique_ptr<Communicator> make_nccl_communicator(Communicator& host, torch::Device device, NcclCalls* calls);

}  // namespace pipedream::detail

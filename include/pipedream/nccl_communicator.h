// The communicator over NCCL, for programs that are linked with pipedream::cuda.
#pragma once

#include <torch/types.h>

#include <memory>

#include "pipedream/communicator.h"

namespace pipedream {

// Is this program linked with pipedream::cuda?
bool has_nccl();

// Collective over the workers of `host`, which lives longer and is used for everything but the tensors of `device`:
// their shapes, weights, aborts, and tensors of the CPU. `host`: the in-process or the MPI communicator.
//
// A pair of workers has an NCCL communicator and a stream for each direction, a reduce group one of its own. The host
// queues transfers and never waits for the device; a thread watches them, and ends the run with a CommunicationError on
// all workers when none of them makes progress within the deadline, when NCCL reports an error, or when another worker
// has given up. Sums are added in NCCL's order: equal on all members, and in every run on the same machine.
//
// Throws ConfigError on all workers: not linked with pipedream::cuda, devices of different types, different versions of
// NCCL.
std::unique_ptr<Communicator> make_nccl_communicator(Communicator& host, torch::Device device);

}  // namespace pipedream

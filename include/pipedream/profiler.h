// Measures a model layer by layer, and the links between the workers.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "pipedream/communicator.h"
#include "pipedream/data.h"
#include "pipedream/layer_graph.h"
#include "pipedream/profile.h"

namespace pipedream {

struct ProfileOptions {
  std::int64_t microbatch_size = 32;
  int warmup = 5;
  int repetitions = 21;  // medians are taken over these
  int threads_per_worker = 1;
  std::uint64_t seed = 1;
  torch::Device device = torch::kCPU;
};

// Collective: all workers measure at the same time (the run will compute on all of them too), and all return the same
// profile, its topology measured by measure_topology. Uses microbatch 0 of the data in file order. Throws ConfigError
// naming the layer: wrong number of outputs, a layer that writes its weights in forward, parameters without gradient.
Profile profile(const LayerGraph& graph, const Dataset& data, Communicator& comm, const ProfileOptions& options = {});

// Collective: latency, bandwidth and all-reduce rate between the workers, one level; no levels for a single worker.
Topology measure_topology(Communicator& comm);

}  // namespace pipedream

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
  double seconds = 20;   // a slow model is measured for about this long, and at least 3 times
  int threads_per_worker = 1;
  std::uint64_t seed = 1;
  // "cuda" without a number: chosen by the worker's place among those of its machine, counted round.
  torch::Device device = torch::kCPU;
};

// Collective: all workers measure at the same time (the run will compute on all of them too), and all return the same
// profile, its topology measured by measure_topology. Uses microbatch 0 of the data in file order, or the whole data
// where that is smaller. Every worker builds the whole model.
//
// Times are taken inside runs of the whole model, so that their sum is the whole: a layer's forward includes the end of
// what it used last, the loss's backward the start of the backward pass. A time is the median of a worker's
// repetitions, then of the workers. Bytes are exact for what LibTorch allocates: a stage keeps for a microbatch the
// kept_bytes of its layers and every tensor that the flags of its producer or of a consumer in the stage keep, each
// once. Views and in-place results are never flagged; who keeps one keeps the tensor whose memory it shares. Parameters
// that are not trained count as buffers.
//
// On a device times are the device's own, between events in the worker's stream; the host waits for the device after
// each run of the model, never in it. Where the device runs out of work before the host has given it more, that time
// counts, as it does in training. Kept and transient bytes are what LibTorch's allocator of the device gave, rounded up
// by it, and of several workers the most; tensors and data count with their own bytes.
//
// Throws ConfigError on all workers, naming the layer: its forward fails (with the shapes of its inputs), returns
// another number of tensors than declared or writes its weights; parameters that no gradient reaches; also for options
// out of range, data the graph needs and the data set lacks, and workers that differ in graph, options or data.
Profile profile(const LayerGraph& graph, const Dataset& data, Communicator& comm, const ProfileOptions& options = {});

// Channels and reduce groups with ids from here on belong to measure_topology.
inline constexpr int kLinkMeterIds = 1 << 20;

// Collective: the links between the workers as one level; no levels for a single worker. All links are measured at the
// same time, as a pipeline in its steady state uses them: every worker sends 4 MiB to the next one, round the ring,
// while it receives from the one before. The slowest link is what is reported. latency_us: half a round trip of 4
// bytes. allreduce_bytes_per_s: the rate that takes the bandwidth's place in 2 (m-1)/m * bytes / rate, the time of a
// sum over m workers, measured with all of them and 4 MiB.
//
// The tensors are on `device`, which is chosen as ProfileOptions' is, and have come when the device has them. The
// topology's memory_bytes_per_worker is the device's memory over the workers that share it; 0 on the CPU, and where
// LibTorch does not tell. Throws ConfigError on all workers where one has no such device, or where they differ in type.
Topology measure_topology(Communicator& comm, torch::Device device = torch::kCPU);

}  // namespace pipedream

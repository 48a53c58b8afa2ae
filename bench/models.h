// The models that the cases train, and plans for them made by hand. All are chains of layers in
// which the tensors at all cuts have the same shape.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "pipedream/data.h"
#include "pipedream/layer_graph.h"
#include "pipedream/plan.h"
#include "pipedream/profile.h"

namespace pipedream::bench {

struct Workload {
  LayerGraph graph;
  Plan plan;
  std::shared_ptr<const Dataset> data;
  std::int64_t microbatch_size = 1;
  std::vector<std::int64_t> cut_shape;  // of the tensor at every cut, for one microbatch
  torch::Device device = torch::kCPU;
};

// A stage that waits instead of computing, as a host waits for its device.
struct EmulatedStage {
  std::chrono::microseconds time{0};  // of one microbatch, forward and backward; the backward takes twice the forward
  int layers = 4;                     // of equal time
  std::int64_t floats = 0;            // in every tensor between layers
  std::int64_t parameters = 0;        // floats, in each layer
};

Workload emulated(int stages, const EmulatedStage& stage, const std::vector<int>& warmup);

// The profiled model, a chain, as layers that wait as long in proportion: `whole` for a microbatch, all layers
// together. Messages, weights and gradients have the profile's sizes. Without a plan.
Workload emulated_like(const Profile& profile, std::chrono::microseconds whole);

// 8 blocks Linear(512,2048)-ReLU-Linear(2048,512), microbatches of 32 rows, mean squared error.
Workload compute_bound(int stages);
// The same 8 times as wide, microbatches of 256 rows.
Workload wide(int stages);

// 8 times Linear(64,64)-ReLU, microbatches of 8 rows, mean squared error.
Workload overhead_bound(int stages);

// Cuts the layers into stages of equal number, which the workers take in turn; the loss joins the last. Without depths.
Plan even_plan(const LayerGraph& graph, int stages, int workers);

// stages - 1 - s: enough where messages take no time.
std::vector<int> least_warmup(int stages);
// One more in all stages but the last: a worker that is late now and then stops nobody.
std::vector<int> deeper_warmup(int stages);

}  // namespace pipedream::bench

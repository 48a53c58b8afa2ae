// Which tensors enter, leave and join the layers of one stage, as numbers: worked out once from graph and plan.
//
// A stage's tensors live in slots. A tensor with several uses is fanned out (fan_out.h), so that its gradients are
// summed in graph order: each local use and each remote gradient is a branch. The gradients of two uses in one remote
// stage come back summed (two addends commute); of a tensor with three or more uses each comes back by itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipedream/layer_graph.h"
#include "pipedream/plan.h"
#include "pipedream/schedule.h"

namespace pipedream::detail {

inline constexpr int kNoSlot = -1;

// `source` becomes `branches.size()` slots, in the graph order of the uses.
struct FanOutStep {
  int source = kNoSlot;
  std::vector<int> branches;
};

struct LayerStep {
  int layer = 0;  // index into StageWiring::layers
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::vector<FanOutStep> fan_outs;  // of its outputs, after the layer
};

// The loss or a metric.
struct WeightedStep {
  std::vector<int> inputs;
};

struct DataSlot {
  std::string name;
  int slot = kNoSlot;
};

// A tensor that another stage sends to this one: one leaf for each gradient that goes back.
struct ReceivedTensor {
  std::string name;
  std::vector<FanOutStep> leaves;  // source: the leaf's slot
  int plain = kNoSlot;             // the tensor without gradient, for metrics
};

struct IncomingLink {
  int from = 0;
  std::vector<ReceivedTensor> tensors;
};

struct SentTensor {
  std::string name;
  int slot = kNoSlot;               // what is sent
  std::vector<int> gradient_slots;  // roots that the returned gradients belong to, in the order of the message
};

struct OutgoingLink {
  int to = 0;
  std::vector<SentTensor> tensors;
};

struct StageWiring {
  int stage = 0;
  int slots = 0;
  std::vector<std::size_t> layers;  // indices into graph.layers()
  std::vector<DataSlot> data;
  std::vector<IncomingLink> incoming;  // by stage
  std::vector<LayerStep> steps;
  std::vector<OutgoingLink> outgoing;  // by stage
  bool has_loss = false;
  WeightedStep loss;
  std::vector<WeightedStep> metrics;
};

// Tensors in a message of gradients over a link.
int gradient_count(const OutgoingLink& link);

// The plan must fit the graph (validate_against_layers).
StageWiring wire_stage(const LayerGraph& graph, const Plan& plan, int stage);

// All links of the plan, sorted by (from, to); gradient: something but a metric uses the tensor. Whether a tensor needs
// a gradient at all is only known once it has been made.
std::vector<StageLink> links_of(const LayerGraph& graph, const Plan& plan);

}  // namespace pipedream::detail

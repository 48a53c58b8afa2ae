#include "models.h"

#include <torch/nn/modules/linear.h>

#include <cmath>
#include <string>

#include "emulated_device.h"
#include "pipedream/error.h"

namespace pipedream::bench {

std::vector<int> least_warmup(int stages) {
  std::vector<int> warmup;
  for (int s = 0; s < stages; ++s) warmup.push_back(stages - 1 - s);
  return warmup;
}

std::vector<int> deeper_warmup(int stages) {
  std::vector<int> warmup = least_warmup(stages);
  for (int s = 0; s + 1 < stages; ++s) ++warmup[static_cast<std::size_t>(s)];
  return warmup;
}

Plan even_plan(const LayerGraph& graph, int stages, int workers) {
  const std::vector<std::string> names = graph.layer_names();
  const std::size_t layers = names.size() - 1;
  const auto n = static_cast<std::size_t>(stages);
  Plan plan;
  for (std::size_t s = 0; s < n; ++s) {
    StagePlan& stage = plan.stages.emplace_back();
    for (std::size_t l = layers * s / n; l < layers * (s + 1) / n; ++l) stage.layers.push_back(names[l]);
    stage.workers = {static_cast<int>(s) % workers};
  }
  plan.stages.back().layers.push_back(names.back());
  return plan;
}

namespace {

constexpr std::int64_t kMicrobatchesOfData = 16;

Plan straight_plan(const LayerGraph& graph, const std::vector<int>& warmup) {
  const int stages = static_cast<int>(warmup.size());
  Plan plan = even_plan(graph, stages, stages);
  for (std::size_t s = 0; s < warmup.size(); ++s) plan.stages[s].warmup = warmup[s];
  return plan;
}

std::shared_ptr<const Dataset> random_data(std::int64_t microbatch_size, std::int64_t width) {
  const std::int64_t rows = kMicrobatchesOfData * microbatch_size;
  return std::make_shared<TensorDataset>(
      std::map<std::string, torch::Tensor>{{"x", torch::randn({rows, width})}, {"y", torch::randn({rows, width})}});
}

Workload regression(LayerGraph graph, const Value& output, int stages, std::int64_t rows, std::int64_t width) {
  graph.loss("loss", {output, graph.target("y")}, mean_squared_error);
  Workload work;
  work.plan = straight_plan(graph, deeper_warmup(stages));
  work.graph = std::move(graph);
  work.data = random_data(rows, width);
  work.microbatch_size = rows;
  work.cut_shape = {rows, width};
  return work;
}

// Emulated layers compute nothing.
WeightedMean first_element(const torch::Tensor& y) { return {y.flatten()[0], 1}; }

std::shared_ptr<const Dataset> no_data() {
  return std::make_shared<TensorDataset>(
      std::map<std::string, torch::Tensor>{{"x", torch::zeros({kMicrobatchesOfData, 1})}});
}

}  // namespace

Workload emulated(int stages, const EmulatedStage& stage, const std::vector<int>& warmup) {
  const auto forward = stage.time / (3 * stage.layers);
  Workload work;
  Value h = work.graph.input("x");
  for (int l = 0; l < stages * stage.layers; ++l) {
    h = work.graph.layer(std::to_string(l), h, [forward, stage] {
      return std::make_shared<EmulatedLayer>(forward, 2 * forward, stage.floats, stage.parameters);
    });
  }
  work.graph.loss("loss", h, first_element);
  work.plan = straight_plan(work.graph, warmup);
  work.data = no_data();
  work.cut_shape = {1, stage.floats};
  return work;
}

namespace {

// Of the layer's output, which the next layer alone uses.
std::int64_t output_floats(const Profile& profile, std::size_t layer) {
  const std::string& name = profile.layers[layer].name;
  if (layer >= profile.tensors.size() || profile.tensors[layer].producer != name ||
      profile.tensors[layer].consumers != std::vector<std::string>{profile.layers[layer + 1].name}) {
    throw ConfigError("only chains are emulated: layer " + name + " is no link of one");
  }
  return profile.tensors[layer].bytes / static_cast<std::int64_t>(sizeof(float));
}

std::chrono::microseconds rounded_us(double us) { return std::chrono::microseconds(std::llround(us)); }

}  // namespace

Workload emulated_like(const Profile& profile, std::chrono::microseconds whole) {
  double sum_us = 0;
  const std::size_t layers = profile.layers.size() - 1;  // the loss is none of them
  for (std::size_t l = 0; l < layers; ++l) sum_us += profile.layers[l].forward_us + profile.layers[l].backward_us;
  const double scale = static_cast<double>(whole.count()) / sum_us;
  Workload work;
  Value h = work.graph.input("x");
  for (std::size_t l = 0; l < layers; ++l) {
    const LayerProfile& layer = profile.layers[l];
    const auto forward = rounded_us(scale * layer.forward_us);
    const auto backward = rounded_us(scale * layer.backward_us);
    const std::int64_t floats = output_floats(profile, l);
    const auto parameters = layer.parameter_bytes / static_cast<std::int64_t>(sizeof(float));
    h = work.graph.layer(layer.name, h,
                         [=] { return std::make_shared<EmulatedLayer>(forward, backward, floats, parameters); });
  }
  work.graph.loss(profile.layers.back().name, h, first_element);
  work.data = no_data();
  return work;
}

namespace {

Workload blocks(int stages, std::int64_t width, std::int64_t rows) {
  LayerGraph graph;
  Value h = graph.input("x");
  for (int block = 0; block < 8; ++block) {
    const std::string name = std::to_string(block);
    h = graph.layer(name + "_widen", h, [width] { return torch::nn::Linear(width, 4 * width); });
    h = graph.layer(name + "_relu", h, torch::relu);
    h = graph.layer(name + "_narrow", h, [width] { return torch::nn::Linear(4 * width, width); });
  }
  return regression(std::move(graph), h, stages, rows, width);
}

}  // namespace

Workload compute_bound(int stages) { return blocks(stages, 512, 32); }
Workload wide(int stages) { return blocks(stages, 4096, 256); }

Workload overhead_bound(int stages) {
  LayerGraph graph;
  Value h = graph.input("x");
  for (int block = 0; block < 8; ++block) {
    const std::string name = std::to_string(block);
    h = graph.layer(name + "_linear", h, [] { return torch::nn::Linear(64, 64); });
    h = graph.layer(name + "_relu", h, torch::relu);
  }
  return regression(std::move(graph), h, stages, 8, 64);
}

}  // namespace pipedream::bench

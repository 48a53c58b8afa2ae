#include "models.h"

#include <torch/nn/modules/linear.h>

#include <string>

#include "emulated_device.h"

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
  work.graph.loss("loss", h, [](const torch::Tensor& y) { return WeightedMean{y.flatten()[0], 1}; });
  work.plan = straight_plan(work.graph, warmup);
  work.data = std::make_shared<TensorDataset>(
      std::map<std::string, torch::Tensor>{{"x", torch::zeros({kMicrobatchesOfData, 1})}});
  work.microbatch_size = 1;
  work.cut_shape = {1, stage.floats};
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

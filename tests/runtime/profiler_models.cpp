#include "profiler_models.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/pooling.h>
#include <torch/nn/modules/rnn.h>

#include <stdexcept>

#include "support/test_device.h"

namespace pipedream::testing {
namespace {

using torch::Tensor;

std::shared_ptr<Dataset> rows_of(Tensor x, std::int64_t classes) {
  const std::int64_t rows = x.size(0);
  return std::make_shared<TensorDataset>(
      std::map<std::string, Tensor>{{"x", std::move(x)}, {"label", torch::arange(rows) % classes}});
}

void classify(LayerGraph& graph, const Value& logits) {
  graph.loss("loss", {logits, graph.target("label")}, cross_entropy);
}

LayerGraph linear_relu() {
  LayerGraph graph;
  classify(graph, Chain(graph, graph.input("x"))
                      .layer("fc1", [] { return torch::nn::Linear(20, 30); })
                      .layer("relu1", torch::relu)
                      .layer("drop1", [] { return torch::nn::Dropout(0.25); })
                      .layer("fc2", [] { return torch::nn::Linear(30, 10); })
                      .value());
  return graph;
}

LayerGraph convolutions() {
  LayerGraph graph;
  classify(graph, Chain(graph, graph.input("x"))
                      .layer("conv1", [] { return torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 4, 3).padding(1)); })
                      .layer("norm1", [] { return torch::nn::BatchNorm2d(4); })
                      .layer("relu1", torch::relu)
                      .layer("pool1", [] { return torch::nn::MaxPool2d(2); })
                      .layer("conv2", [] { return torch::nn::Conv2d(4, 6, 3); })
                      .layer("relu2", torch::relu)
                      .layer("flatten", [](const Tensor& x) { return x.flatten(1); })
                      .layer("fc", [] { return torch::nn::Linear(24, 10); })
                      .value());
  return graph;
}

LayerGraph in_place() {
  LayerGraph graph;
  classify(graph, Chain(graph, graph.input("x"))
                      .layer("image", [](const Tensor& x) { return x.unsqueeze(1); })
                      .layer("conv1", [] { return torch::nn::Conv2d(1, 4, 3); })
                      .layer("relu1", [] { return torch::nn::ReLU(torch::nn::ReLUOptions(true)); })
                      .layer("conv2", [] { return torch::nn::Conv2d(4, 6, 3); })
                      .layer("relu2", [] { return torch::nn::ReLU(torch::nn::ReLUOptions(true)); })
                      .layer("flatten", [](const Tensor& x) { return x.flatten(1); })
                      .layer("transpose", [](const Tensor& x) { return x.t(); })
                      .layer("back", [](const Tensor& x) { return x.t(); })
                      .layer("fc", [] { return torch::nn::Linear(96, 10); })
                      .value());
  return graph;
}

LayerGraph recurrent() {
  LayerGraph graph;
  const auto lstm = [] { return torch::nn::LSTM(torch::nn::LSTMOptions(5, 7).batch_first(true)); };
  const auto all_steps = [](auto& module, const Tensor& x) { return std::get<0>(module->forward(x)); };
  const auto last_step = [](auto& module, const Tensor& x) { return std::get<0>(module->forward(x)).select(1, -1); };
  const auto second = [] { return torch::nn::GRU(torch::nn::GRUOptions(7, 6).batch_first(true)); };
  Value h = graph.layer("lstm", graph.input("x"), lstm, all_steps);
  h = graph.layer("norm", h, [] { return torch::nn::LayerNorm(torch::nn::LayerNormOptions({7})); });
  h = graph.layer("gru", h, second, last_step);
  classify(graph, graph.layer("fc", h, [] { return torch::nn::Linear(6, 4); }));
  return graph;
}

LayerGraph residual() {
  LayerGraph graph;
  const auto linear = [] { return torch::nn::Linear(16, 16); };
  const auto sum = [](const Tensor& a, const Tensor& b) { return a + b; };
  const auto product = [](const Tensor& a, const Tensor& b) { return a * b; };
  const Value start = graph.layer("start", graph.input("x"), linear);
  Value h = graph.layer("relu", start, torch::relu);
  h = graph.layer("fc1", h, linear);
  const Value joined = graph.layer("join", {start, h}, sum);
  h = graph.layer("gate", joined, torch::sigmoid);
  h = graph.layer("gated", {joined, h}, product);
  h = graph.layer("far", {h, start}, sum);
  classify(graph, graph.layer("fc2", h, [] { return torch::nn::Linear(16, 4); }));
  return graph;
}

LayerGraph words() {
  LayerGraph graph;
  Value h = graph.layer("embed", graph.input("x"), [] { return torch::nn::Embedding(11, 8); });
  h = graph.layer("norm", h, [] { return torch::nn::LayerNorm(torch::nn::LayerNormOptions({8})); });
  const auto halves =
      graph.layer_with_outputs("split", h, {"left", "right"}, [](const Tensor& x) { return x.chunk(2, 2); });
  const Value left = graph.layer("left_fc", halves[0], [] { return torch::nn::Linear(4, 4); });
  const Value right = graph.layer("right_tanh", halves[1], torch::tanh);
  h = graph.layer("gate", {left, right}, [](const Tensor& a, const Tensor& b) { return a * b; });
  h = graph.layer("mean", h, [](const Tensor& x) { return x.mean(1); });
  classify(graph, graph.layer("fc", h, [] { return torch::nn::Linear(4, 4); }));
  return graph;
}

}  // namespace

ProfileOptions quick_options() {
  return {.microbatch_size = 8, .warmup = 1, .repetitions = 3, .device = test_device()};
}

std::vector<ModelCase> model_cases() {
  return {
      {"linear_relu", linear_relu,
       [] {
         return rows_of(torch::rand({8, 20}), 10);
       }},
      {"convolutions", convolutions,
       [] {
         return rows_of(torch::rand({8, 1, 8, 8}), 10);
       }},
      {"in_place", in_place,
       [] {
         return rows_of(torch::rand({8, 8, 8}), 10);
       }},
      {"recurrent", recurrent,
       [] {
         return rows_of(torch::rand({8, 6, 5}), 4);
       }},
      {"residual", residual,
       [] {
         return rows_of(torch::rand({8, 16}), 4);
       }},
      {"words", words,
       [] {
         return rows_of(torch::arange(8 * 6).view({8, 6}) % 11, 4);
       }},
  };
}

ModelCase model_case(const std::string& name) {
  for (const ModelCase& model : model_cases()) {
    if (model.name == name) return model;
  }
  throw std::out_of_range(name);
}

}  // namespace pipedream::testing

#include "pipedream/layer_graph.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/rnn.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "pipedream/error.h"

using namespace pipedream;
using Catch::Contains;
using Names = std::vector<std::string>;

namespace {

LayerGraph two_layers() {
  LayerGraph graph;
  auto h = graph.layer("fc1", graph.input("image"), [] { return torch::nn::Linear(4, 3); });
  h = graph.layer("relu1", h, torch::relu);
  graph.loss("loss", {h, graph.target("label")}, cross_entropy);
  return graph;
}

}  // namespace

TEST_CASE("a chain is what it says", "[layer_graph]") {
  const LayerGraph graph = two_layers();
  graph.check();
  CHECK(graph.layer_names() == Names{"fc1", "relu1", "loss"});
  CHECK(graph.inputs() == Names{"image"});
  CHECK(graph.targets() == Names{"label"});
  CHECK(graph.is_data("image"));
  CHECK(graph.is_data("label"));
  CHECK_FALSE(graph.is_data("fc1"));
  const auto edges = graph.layer_edges();
  REQUIRE(edges.size() == 3);
  CHECK(edges[0].producers.empty());
  CHECK(edges[1].producers == Names{"fc1"});
  CHECK(edges[2].name == "loss");
  CHECK(edges[2].producers == Names{"relu1"});
}

TEST_CASE("the chain builder writes the same graph", "[layer_graph]") {
  LayerGraph graph;
  const Value out = Chain(graph, graph.input("image"))
                        .layer("fc1", [] { return torch::nn::Linear(4, 3); })
                        .layer("relu1", torch::relu)
                        .value();
  graph.loss("loss", {out, graph.target("label")}, cross_entropy);
  CHECK(graph.hash() == two_layers().hash());
}

TEST_CASE("the order is that of declaration, producers first", "[layer_graph]") {
  LayerGraph graph;
  graph.input("x");
  const auto sum = [](const torch::Tensor& a, const torch::Tensor& b) { return a + b; };
  graph.layer("late", {"early", "x"}, sum);
  graph.layer("other", "x", torch::relu);
  graph.layer("early", "x", torch::relu);
  graph.layer("join", {"other", "late"}, sum);
  graph.loss("loss", {"join"}, [](const torch::Tensor& x) { return WeightedMean{x.mean(), 1}; });
  graph.check();
  CHECK(graph.layer_names() == Names{"other", "early", "late", "join", "loss"});
  CHECK(graph.layer_edges()[3].producers == Names{"other", "late"});
}

// The digest was computed elsewhere from the documented bytes.
TEST_CASE("the hash covers names and edges in graph order", "[layer_graph]") {
  CHECK(two_layers().hash() == "c73012860e657c52");
  LayerGraph other_code = two_layers();
  other_code.metric("accuracy", {"relu1", "label"}, accuracy);
  CHECK(other_code.hash() == two_layers().hash());
  LayerGraph renamed;
  auto h = renamed.layer("fc1", renamed.input("picture"), [] { return torch::nn::Linear(4, 3); });
  h = renamed.layer("relu1", h, torch::relu);
  renamed.loss("loss", {h, renamed.target("label")}, cross_entropy);
  CHECK(renamed.hash() != two_layers().hash());
}

TEST_CASE("layers run what they were given", "[layer_graph]") {
  LayerGraph graph;
  const Value x = graph.input("x");
  graph.layer("linear", x, [] { return torch::nn::Linear(4, 3); });
  graph.layer("shared", x, [] { return std::make_shared<torch::nn::LinearImpl>(4, 3); });
  graph.layer(
      "lstm", x, [] { return torch::nn::LSTM(torch::nn::LSTMOptions(4, 3).batch_first(true)); },
      [](auto& lstm, const torch::Tensor& in) { return std::get<0>(lstm->forward(in)); });
  graph.layer_with_outputs("split", x, {"left", "right"}, [](const torch::Tensor& in) { return in.chunk(2, 1); });
  graph.layer_with_outputs("pair", x, {"max", "argmax"}, [](const torch::Tensor& in) { return in.max(1); });
  graph.layer("weighted", {x, "left"}, [](const Tensors& in) { return in[0].sum() + in[1].sum(); });
  graph.layer("bilinear", {x, "left"}, [] { return torch::nn::Bilinear(4, 2, 5); });
  const auto layers = graph.layers();
  const torch::Tensor in = torch::ones({2, 4});
  CHECK(layers[0].make().forward({in}).at(0).sizes() == torch::IntArrayRef{2, 3});
  CHECK(layers[1].make().module != nullptr);
  CHECK(layers[2].make().forward({torch::ones({2, 6, 4})}).at(0).sizes() == torch::IntArrayRef{2, 6, 3});
  CHECK(layers[3].make().forward({in}).size() == 2);
  CHECK(layers[3].make().module == nullptr);
  CHECK(layers[4].make().forward({in}).size() == 2);
  CHECK(layers[5].make().forward({in, in}).at(0).item<float>() == 16);
  CHECK(layers[6].make().forward({in, torch::ones({2, 2})}).at(0).sizes() == torch::IntArrayRef{2, 5});
  CHECK_THROWS_WITH(layers[0].make().forward({in, in}), Contains("no 2 tensor"));
}

TEST_CASE("a wrapped Sequential is copied, values included", "[layer_graph]") {
  torch::nn::Sequential model({{"fc", torch::nn::Linear(4, 3)}, {"relu", torch::nn::ReLU()}});
  torch::nn::Linear last(3, 2);
  last->weight.set_requires_grad(false);
  model->push_back("last", last);
  LayerGraph graph;
  const Value out = graph.sequential(graph.input("x"), model.ptr());
  CHECK(out.name == "last");
  graph.loss("loss", {out}, [](const torch::Tensor& x) { return WeightedMean{x.mean(), 1}; });
  graph.check();
  CHECK(graph.layer_names() == Names{"fc", "relu", "last", "loss"});
  const torch::Tensor x = torch::rand({5, 4});
  torch::Tensor h = x;
  std::vector<LayerInstance> instances;
  for (const Layer& layer : graph.layers()) {
    instances.push_back(layer.make());
    h = instances.back().forward({h}).at(0);
  }
  CHECK(torch::equal(h, model->forward(x)));
  CHECK_FALSE(instances[2].module->named_parameters()["weight"].requires_grad());
  CHECK(instances[2].module->named_parameters()["bias"].requires_grad());
  torch::NoGradGuard no_grad;
  instances[0].module->parameters()[0].zero_();
  CHECK(model->ptr(0)->parameters()[0].abs().sum().item<float>() > 0);
}

TEST_CASE("a Sequential with shared weights is refused", "[layer_graph]") {
  torch::nn::Linear shared(4, 4);
  torch::nn::Sequential model;
  model->push_back("one", shared);
  model->push_back("relu", torch::nn::ReLU());
  model->push_back("two", shared);
  LayerGraph graph;
  CHECK_THROWS_WITH(graph.sequential(graph.input("x"), model.ptr()), Contains("'one' and 'two' share"));
  CHECK_THROWS_WITH(graph.sequential("x", torch::nn::Sequential().ptr()), Contains("no modules"));
}

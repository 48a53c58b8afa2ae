// What a graph refuses, and which names the messages carry.
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "pipedream/error.h"
#include "pipedream/layer_graph.h"

using namespace pipedream;
using Catch::Contains;

namespace {

WeightedMean mean(const torch::Tensor& x) { return {x.mean(), 1}; }
torch::Tensor sum(const torch::Tensor& a, const torch::Tensor& b) { return a + b; }

}  // namespace

TEST_CASE("names are taken once", "[layer_graph]") {
  LayerGraph graph;
  const Value x = graph.input("x");
  graph.layer("relu", x, torch::relu);
  graph.layer_with_outputs("split", x, {"left", "right"}, [](const torch::Tensor& in) { return in.chunk(2, 1); });
  graph.loss("loss", {"relu"}, mean);
  graph.metric("metric", {"relu"}, mean);
  CHECK_THROWS_WITH(graph.layer("relu", x, torch::tanh), Contains("layer 'relu'") && Contains("a layer of that name"));
  CHECK_THROWS_WITH(graph.layer("left", x, torch::tanh), Contains("layer 'left'") && Contains("a tensor of that name"));
  CHECK_THROWS_WITH(graph.layer("x", x, torch::tanh), Contains("an input") || Contains("a input of that name"));
  CHECK_THROWS_WITH(graph.input("relu"), Contains("input 'relu'"));
  CHECK_THROWS_WITH(graph.target("x"), Contains("target 'x'"));
  CHECK_THROWS_WITH(graph.metric("metric", {"relu"}, mean), Contains("metric 'metric'"));
  CHECK_THROWS_WITH(graph.layer("loss", x, torch::tanh), Contains("loss of that name"));
  CHECK_THROWS_WITH(graph.loss("second", {"relu"}, mean), Contains("'second'") && Contains("'loss'"));
  const auto halves = [](const torch::Tensor& in) { return in.chunk(2, 1); };
  CHECK_THROWS_WITH(graph.layer_with_outputs("twice", x, {"a", "a"}, halves), Contains("two outputs 'a'"));
  CHECK_THROWS_WITH(graph.layer("", x, torch::tanh), Contains("without a name"));
  CHECK_THROWS_WITH(graph.layer("empty", Inputs{}, torch::tanh), Contains("'empty' has no inputs"));
}

TEST_CASE("a graph without loss is refused", "[layer_graph]") {
  LayerGraph graph;
  graph.layer("relu", graph.input("x"), torch::relu);
  CHECK_THROWS_WITH(graph.check(), Contains("no loss"));
}

TEST_CASE("unknown tensors are named with their user", "[layer_graph]") {
  LayerGraph graph;
  graph.layer("join", {graph.input("x"), "nowhere"}, sum);
  graph.loss("loss", {"join"}, mean);
  CHECK_THROWS_WITH(graph.check(), Contains("layer 'join'") && Contains("'nowhere'"));
  LayerGraph by_loss;
  by_loss.layer("relu", by_loss.input("x"), torch::relu);
  by_loss.loss("loss", {"relu", "label"}, cross_entropy);
  CHECK_THROWS_WITH(by_loss.check(), Contains("loss 'loss'") && Contains("'label'"));
}

TEST_CASE("a cycle is named, and nothing but the cycle", "[layer_graph]") {
  LayerGraph graph;
  graph.layer("before", graph.input("x"), torch::relu);
  graph.layer("a", {"before", "c"}, sum);
  graph.layer("b", "a", torch::relu);
  graph.layer("c", "b", torch::relu);
  graph.layer("after", "c", torch::relu);
  graph.loss("loss", {"after"}, mean);
  CHECK_THROWS_WITH(graph.check(), Contains("'a' uses 'c' uses 'b' uses 'a'") && !Contains("before"));
  CHECK_THROWS_AS(graph.layers(), ConfigError);
}

TEST_CASE("outputs and data that nobody uses are refused", "[layer_graph]") {
  LayerGraph graph;
  const Value x = graph.input("x");
  graph.layer("used", x, torch::relu);
  graph.layer("dead", x, torch::relu);
  graph.loss("loss", {"used"}, mean);
  CHECK_THROWS_WITH(graph.check(), Contains("output 'dead' of layer 'dead'"));

  LayerGraph with_input;
  with_input.layer("used", with_input.input("x"), torch::relu);
  with_input.input("spare");
  with_input.loss("loss", {"used"}, mean);
  CHECK_THROWS_WITH(with_input.check(), Contains("input 'spare' is not used"));

  LayerGraph with_target;
  with_target.layer("used", with_target.input("x"), torch::relu);
  with_target.target("label");
  with_target.loss("loss", {"used"}, mean);
  CHECK_THROWS_WITH(with_target.check(), Contains("target 'label' is not used"));
}

TEST_CASE("targets are for the loss and metrics", "[layer_graph]") {
  LayerGraph graph;
  graph.layer("join", {graph.input("x"), graph.target("label")}, sum);
  graph.loss("loss", {"join"}, mean);
  CHECK_THROWS_WITH(graph.check(), Contains("layer 'join' uses the target 'label'"));
}

TEST_CASE("metrics take what the loss takes, and data", "[layer_graph]") {
  LayerGraph graph;
  const Value h = graph.layer("h", graph.input("x"), torch::relu);
  const Value logits = graph.layer("logits", h, torch::relu);
  graph.loss("loss", {logits}, mean);
  graph.metric("fits", {logits, graph.target("label")}, accuracy);
  CHECK_NOTHROW(graph.check());
  graph.metric("hidden", {h}, mean);
  CHECK_THROWS_WITH(graph.check(), Contains("metric 'hidden'") && Contains("'h'"));
}

TEST_CASE("layers whose parameters could have one name are refused", "[layer_graph]") {
  LayerGraph graph;
  Chain(graph, graph.input("x")).layer("block", torch::relu).layer("blocks.relu", torch::relu);
  graph.loss("loss", {"blocks.relu"}, mean);
  CHECK_NOTHROW(graph.check());
  LayerGraph clash;
  Chain(clash, clash.input("x")).layer("block", torch::relu).layer("block.part.relu", torch::relu);
  clash.loss("loss", {"block.part.relu"}, mean);
  CHECK_THROWS_WITH(clash.check(), Contains("'block' and 'block.part.relu'"));
}

#include "runtime/stage_wiring.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <catch2/catch.hpp>

#include "runtime/stage.h"

using namespace pipedream;
using namespace pipedream::detail;

namespace {

torch::Tensor add(const torch::Tensor& a, const torch::Tensor& b) { return a + b; }

// a -> b -> c -> d, with a used by `uses` later layers too.
LayerGraph graph_with_skips(int uses) {
  LayerGraph g;
  const auto a = g.layer("a", g.input("x"), torch::relu);
  auto h = g.layer("b", a, torch::relu);
  if (uses > 1) h = g.layer("c", {h, a}, add);
  if (uses > 2) h = g.layer("d", {h, a}, add);
  h = g.layer("e", h, torch::relu);
  g.loss("loss", {h, g.target("y")}, mean_squared_error);
  return g;
}

Plan cut(const LayerGraph& graph, const std::vector<std::size_t>& ends) {
  const auto names = graph.layer_names();
  Plan plan;
  std::size_t first = 0;
  for (const std::size_t end : ends) {
    StagePlan stage;
    stage.layers.assign(names.begin() + static_cast<std::ptrdiff_t>(first),
                        names.begin() + static_cast<std::ptrdiff_t>(end));
    stage.workers = {static_cast<int>(plan.stages.size())};
    plan.stages.push_back(std::move(stage));
    first = end;
  }
  return plan;
}

}  // namespace

TEST_CASE("two remote uses in one stage come back as one gradient") {
  const auto graph = graph_with_skips(2);
  const Plan plan = cut(graph, {1, 5});
  const auto producer = wire_stage(graph, plan, 0);
  REQUIRE(producer.outgoing.size() == 1);
  CHECK(gradient_count(producer.outgoing[0]) == 1);
  const auto consumer = wire_stage(graph, plan, 1);
  REQUIRE(consumer.incoming[0].tensors[0].leaves.size() == 1);
  CHECK(consumer.incoming[0].tensors[0].leaves[0].branches.size() == 2);
}

TEST_CASE("of three uses each gradient comes back by itself, to be summed in graph order") {
  const auto graph = graph_with_skips(3);
  const Plan plan = cut(graph, {1, 6});
  const auto producer = wire_stage(graph, plan, 0);
  CHECK(gradient_count(producer.outgoing[0]) == 3);
  REQUIRE(producer.steps[0].fan_outs.size() == 1);
  CHECK(producer.steps[0].fan_outs[0].branches == producer.outgoing[0].tensors[0].gradient_slots);
  CHECK(wire_stage(graph, plan, 1).incoming[0].tensors[0].leaves.size() == 3);
}

TEST_CASE("a skip goes straight to the stage that uses it") {
  const auto graph = graph_with_skips(2);
  const Plan plan = cut(graph, {1, 2, 5});
  CHECK((links_of(graph, plan) == std::vector<StageLink>{{0, 1, true}, {0, 2, true}, {1, 2, true}}));
  CHECK(wire_stage(graph, plan, 0).steps[0].fan_outs[0].branches.size() == 2);
}

TEST_CASE("a link that only a metric uses carries no gradient") {
  LayerGraph g;
  const auto a = g.layer("a", g.input("x"), torch::relu);
  const auto b = g.layer("b", a, torch::relu);
  const auto c = g.layer("c", b, torch::relu);
  g.loss("loss", {c, g.target("y")}, mean_squared_error);
  g.metric("activity", {a, "y"}, mean_squared_error);
  const Plan plan = cut(g, {1, 2, 4});
  CHECK((links_of(g, plan) == std::vector<StageLink>{{0, 1, true}, {0, 2, false}, {1, 2, true}}));
  const auto last = wire_stage(g, plan, 2);
  CHECK(last.incoming[0].tensors[0].leaves.empty());
  CHECK(last.metrics[0].inputs[0] == last.incoming[0].tensors[0].plain);
}

TEST_CASE("a received tensor reaches its layer with its strides, may be written in place, and so does its gradient") {
  std::vector<std::int64_t> strides;
  LayerGraph g;
  auto h = g.layer("a", g.input("x"), torch::relu);
  h = g.layer("b", h, [&strides](torch::Tensor x) {
    strides = x.strides().vec();
    return x.mul_(2);
  });
  g.loss("loss", {h, g.target("y")}, mean_squared_error);
  const Plan plan = cut(g, {1, 3});
  using Layout = std::vector<std::int64_t>;
  const std::vector<std::pair<Layout, Layout>> layouts = {
      {{2, 1, 3, 3}, {9, 1, 3, 1}}, {{2, 4, 3, 3}, {36, 1, 12, 4}}, {{5, 1, 3}, {1, 5, 5}}, {{4, 2}, {2, 1}}};
  for (const auto& [sizes, wanted] : layouts) {
    Stage stage(g, plan, 1, 1, torch::kCPU);
    const torch::Tensor received = torch::empty_strided(sizes, wanted).fill_(1);
    ForwardResult result = stage.forward(0, {torch::zeros(sizes)}, {{received}});
    CHECK(strides == wanted);
    const BackwardResult backward = stage.backward(result.activations, {});
    REQUIRE(backward.incoming.size() == 1);
    const torch::Tensor& gradient = backward.incoming[0].at(0);
    CHECK(gradient.sizes() == received.sizes());
    CHECK(gradient.max().item<float>() == gradient.min().item<float>());
    CHECK(gradient.max().item<float>() > 0);
  }
}

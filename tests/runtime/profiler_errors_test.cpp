#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <mutex>

#include "pipedream/error.h"
#include "pipedream/profiler.h"
#include "profiler_models.h"

using namespace pipedream;
using namespace pipedream::testing;
using Catch::Contains;
using torch::Tensor;

namespace {

// What profiling a graph of x [8, 4] and label [8] says against it.
std::string refusal(const LayerGraph& graph, const ProfileOptions& options = quick_options()) {
  const TensorDataset data({{"x", torch::ones({8, 4})}, {"label", torch::zeros({8}, torch::kInt64)}});
  std::string message;
  run_in_threads(1, [&](Communicator& comm) {
    try {
      profile(graph, data, comm, options);
    } catch (const ConfigError& error) {
      message = error.what();
    }
  });
  return message;
}

template <class... F>
LayerGraph graph_with(const std::string& name, F... layer) {
  LayerGraph graph;
  const auto first = graph.layer("first", graph.input("x"), [] { return torch::nn::Linear(4, 4); });
  const auto out = graph.layer(name, first, std::move(layer)...);
  graph.loss("loss", {out, graph.target("label")}, cross_entropy);
  return graph;
}

struct SelfWritingImpl : torch::nn::Module {
  SelfWritingImpl() { weight = register_parameter("weight", torch::ones({4})); }
  Tensor forward(const Tensor& x) {
    weight.data().add_(1);
    return x * weight;
  }
  Tensor weight;
};

struct UnusedWeightImpl : torch::nn::Module {
  UnusedWeightImpl() {
    used = register_parameter("used", torch::ones({4}));
    unused = register_parameter("unused", torch::ones({4}));
  }
  Tensor forward(const Tensor& x) { return x * used; }
  Tensor used;
  Tensor unused;
};

}  // namespace

TEST_CASE("a layer that fails is named with its inputs", "[profiler]") {
  CHECK_THAT(refusal(graph_with("narrow", [] { return torch::nn::Linear(5, 4); })),
             Contains("layer 'narrow'") && Contains("[8, 4]"));
  LayerGraph graph;
  graph.layer_with_outputs("halves", graph.input("x"), {"a", "b", "c"}, [](const Tensor& x) { return x.chunk(2, 1); });
  graph.layer("join", {"a", "b", "c"}, [](const Tensors& x) { return x[0]; });
  graph.loss("loss", {"join", graph.target("label")}, cross_entropy);
  CHECK_THAT(refusal(graph), Contains("layer 'halves' returned 2") && Contains("declares 3"));
}

TEST_CASE("a layer that writes its weights is refused", "[profiler]") {
  const auto writes = [] { return std::make_shared<SelfWritingImpl>(); };
  CHECK_THAT(refusal(graph_with("writer", writes)), Contains("layer 'writer' writes its parameter 'writer.weight'"));
}

TEST_CASE("parameters without gradient are refused", "[profiler]") {
  const auto unused = [] { return std::make_shared<UnusedWeightImpl>(); };
  CHECK_THAT(refusal(graph_with("half", unused)), Contains("no gradient reaches parameter 'half.unused'"));
  CHECK_THAT(
      refusal(graph_with(
          "cut", [](const Tensor& x) { return x.detach() * torch::ones({4}, x.options().requires_grad(true)); })),
      Contains("no gradient reaches parameter 'first.weight'"));
  CHECK_THAT(refusal(graph_with("cut", [](const Tensor& x) { return x.detach(); })),
             Contains("depends on no parameter"));
}

TEST_CASE("a loss must be a scalar", "[profiler]") {
  LayerGraph graph;
  const auto out = graph.layer("fc", graph.input("x"), [] { return torch::nn::Linear(4, 4); });
  graph.loss("rows", {out, graph.target("label")}, [](const Tensor& x, const Tensor&) {
    return WeightedMean{x.sum(1), 8};
  });
  CHECK_THAT(refusal(graph), Contains("'rows' is no scalar") && Contains("[8]"));
}

TEST_CASE("options and data are checked", "[profiler]") {
  const LayerGraph good = graph_with("relu", torch::relu);
  CHECK(refusal(good).empty());
  CHECK_THAT(refusal(good, {.microbatch_size = 0}), Contains("microbatch_size is 0"));
  CHECK_THAT(refusal(good, {.repetitions = 0}), Contains("repetitions is 0"));
  CHECK_THAT(refusal(good, {.threads_per_worker = 0}), Contains("threads_per_worker is 0"));
  CHECK_THAT(refusal(good, {.device = torch::kMeta}), Contains("device meta: workers compute on"));
  LayerGraph other;
  const auto out = other.layer("fc", other.input("picture"), [] { return torch::nn::Linear(4, 4); });
  other.loss("loss", {out, other.target("label")}, cross_entropy);
  CHECK_THAT(refusal(other), Contains("'picture'") && Contains("label, x"));
}

TEST_CASE("a mistake of one worker is heard by all", "[profiler]") {
  std::mutex mutex;
  std::vector<std::string> messages;
  run_in_threads(2, [&](Communicator& comm) {
    const auto model = model_case("linear_relu");
    ProfileOptions options = quick_options();
    if (comm.rank() == 1) options.microbatch_size = 4;
    try {
      profile(model.graph(), *model.data(), comm, options);
    } catch (const ConfigError& error) {
      const std::lock_guard lock(mutex);
      messages.emplace_back(error.what());
    }
  });
  REQUIRE(messages.size() == 2);
  CHECK(messages[0] == messages[1]);
  CHECK_THAT(messages[0], Contains("the microbatch size: 8 and 4"));
}

#include "runtime/layer_build.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <stdexcept>

#include "pipedream/error.h"

using namespace pipedream;
using Catch::Contains;

namespace {

template <class F>
Layer layer(const std::string& name, F factory) {
  LayerGraph graph;
  graph.layer(name, graph.input("x"), factory);
  return graph.layers().front();
}

torch::nn::BatchNorm2d batch_norm() { return torch::nn::BatchNorm2d(3); }
torch::nn::Linear linear() { return torch::nn::Linear(4, 3); }

}  // namespace

TEST_CASE("initial values depend on run seed and name alone", "[layer_build]") {
  const auto weight = [](const std::string& name, std::uint64_t seed) {
    return named_parameters(name, build_layer(layer(name, linear), seed, torch::kCPU)).at(0).second;
  };
  torch::manual_seed(1);
  const torch::Tensor first = weight("fc", 1);
  torch::rand({10});
  CHECK(torch::equal(weight("fc", 1), first));
  CHECK_FALSE(torch::equal(weight("fc", 2), first));
  CHECK_FALSE(torch::equal(weight("other", 1), first));
}

TEST_CASE("building leaves the generator as it was", "[layer_build]") {
  const torch::Tensor before = at::detail::getDefaultCPUGenerator().get_state();
  build_layer(layer("fc", linear), 1, torch::kCPU);
  CHECK(torch::equal(at::detail::getDefaultCPUGenerator().get_state(), before));
}

TEST_CASE("parameters and buffers are named by layer", "[layer_build]") {
  const LayerInstance instance = build_layer(layer("norm", batch_norm), 1, torch::kCPU);
  const NamedTensorList parameters = named_parameters("norm", instance);
  REQUIRE(parameters.size() == 2);
  CHECK(parameters[0].first == "norm.weight");
  CHECK(parameters[1].first == "norm.bias");
  const NamedTensorList buffers = named_buffers("norm", instance);
  REQUIRE(buffers.size() == 3);
  CHECK(buffers[0].first == "norm.running_mean");
  const LayerInstance function = build_layer(layer("relu", torch::relu), 1, torch::kCPU);
  CHECK(named_parameters("relu", function).empty());
  CHECK(named_buffers("relu", function).empty());
}

TEST_CASE("embeddings that cannot be versioned are refused", "[layer_build]") {
  const auto bounded = [] { return torch::nn::Embedding(torch::nn::EmbeddingOptions(5, 2).max_norm(1.0)); };
  // Found below the top level too.
  Layer sequential;
  sequential.name = "words";
  sequential.make = [] {
    const torch::nn::Sequential inner(torch::nn::Embedding(torch::nn::EmbeddingOptions(5, 2).sparse(true)));
    return LayerInstance{inner.ptr(), {}};
  };
  const auto bag = [] { return torch::nn::EmbeddingBag(torch::nn::EmbeddingBagOptions(5, 2).sparse(true)); };
  CHECK_THROWS_WITH(build_layer(layer("words", bounded), 1, torch::kCPU),
                    Contains("'words'") && Contains("max_norm 1"));
  CHECK_THROWS_WITH(build_layer(sequential, 1, torch::kCPU), Contains("'words'") && Contains("sparse"));
  CHECK_THROWS_WITH(build_layer(layer("bag", bag), 1, torch::kCPU), Contains("'bag'") && Contains("sparse"));
}

TEST_CASE("a module that layers could share is refused", "[layer_build]") {
  const torch::nn::Linear captured(3, 4);
  const auto make = [captured] { return captured; };
  CHECK_THROWS_WITH(build_layer(layer("head", make), 1, torch::kCPU),
                    Contains("layer 'head'") && Contains("held elsewhere") && Contains("Tied weights"));
  const auto call = [](torch::nn::Linear& module, const torch::Tensor& x) { return module->forward(x); };
  LayerGraph graph;
  graph.layer("embed", graph.input("x"), make, call);
  CHECK_THROWS_WITH(build_layer(graph.layers().front(), 1, torch::kCPU), Contains("layer 'embed'"));
  // Part of a module that lives on.
  const torch::nn::Sequential whole(torch::nn::Linear(3, 3), torch::nn::ReLU());
  const auto part = [whole] { return whole->ptr<torch::nn::LinearImpl>(0); };
  CHECK_THROWS_WITH(build_layer(layer("part", part), 1, torch::kCPU), Contains("layer 'part'"));
  CHECK_NOTHROW(build_layer(layer("relu", [whole] { return whole->ptr<torch::nn::ReLUImpl>(1); }), 1, torch::kCPU));
}

TEST_CASE("a factory that fails names its layer", "[layer_build]") {
  const auto fails = []() -> torch::nn::Linear { throw std::runtime_error("no such file"); };
  CHECK_THROWS_WITH(build_layer(layer("fc", fails), 1, torch::kCPU), Contains("'fc'") && Contains("no such file"));
}

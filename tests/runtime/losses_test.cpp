#include <torch/types.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "pipedream/error.h"
#include "pipedream/layer_graph.h"

using namespace pipedream;

TEST_CASE("cross entropy is the mean over the targets that count", "[losses]") {
  // Equal logits: every target costs log 4.
  const WeightedMean all = cross_entropy(torch::zeros({3, 4}), torch::tensor({0, 1, 2}));
  CHECK(all.mean.dim() == 0);
  CHECK(all.mean.item<float>() == Approx(std::log(4.0)));
  CHECK(all.weight == 3);
  const torch::Tensor logits = torch::tensor({{0.F, 0.F}, {5.F, -5.F}});
  const WeightedMean padded = cross_entropy(logits, torch::tensor({1, -100}));
  CHECK(padded.mean.item<float>() == Approx(std::log(2.0)));
  CHECK(padded.weight == 1);
}

TEST_CASE("a language model's weight is its tokens", "[losses]") {
  const torch::Tensor target = torch::tensor({{0, 1, -100}, {2, -100, -100}});
  CHECK(cross_entropy(torch::zeros({2, 5, 3}), target).weight == 3);
  CHECK(cross_entropy(torch::zeros({3, 5, 2}), target.t()).weight == 3);  // strided
}

TEST_CASE("a microbatch of padding alone costs nothing", "[losses]") {
  const torch::Tensor logits = torch::zeros({2, 3}, torch::requires_grad());
  const WeightedMean loss = cross_entropy(logits, torch::tensor({-100, -100}));
  CHECK(loss.weight == 0);
  CHECK(loss.mean.item<float>() == 0);
  loss.mean.backward();
  CHECK(torch::equal(logits.grad(), torch::zeros({2, 3})));
  CHECK(accuracy(logits.detach(), torch::tensor({-100, -100})).mean.item<float>() == 0);
}

TEST_CASE("mean squared error", "[losses]") {
  const WeightedMean loss = mean_squared_error(torch::tensor({{1.F, 2.F}, {3.F, 4.F}}), torch::zeros({2, 2}));
  CHECK(loss.mean.item<float>() == Approx(7.5));
  CHECK(loss.weight == 2);
  // LibTorch would broadcast, with a warning at most.
  CHECK_THROWS_WITH(mean_squared_error(torch::zeros({4, 1}), torch::zeros({4})),
                    Catch::Contains("[4, 1]") && Catch::Contains("[4]"));
}

TEST_CASE("accuracy is a share of the targets that count", "[losses]") {
  const torch::Tensor logits = torch::tensor({{1.F, 0.F}, {1.F, 0.F}, {0.F, 1.F}, {0.F, 1.F}});
  const WeightedMean three = accuracy(logits, torch::tensor({0, 1, 1, 1}));
  CHECK(three.mean.item<float>() == 0.75F);
  CHECK(three.weight == 4);
  const WeightedMean padded = accuracy(logits, torch::tensor({0, 1, -100, 1}));
  CHECK(padded.mean.item<float>() == Approx(2.0 / 3));
  CHECK(padded.weight == 3);
}

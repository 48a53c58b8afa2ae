#include "pipedream/data.h"

#include <torch/types.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "pipedream/error.h"

using namespace pipedream;
using Catch::Contains;
using Rows = std::vector<std::int64_t>;

TEST_CASE("without shuffle microbatches are slices of the file", "[data]") {
  const MicrobatchSampler sampler(10, 4, false, 3);
  CHECK(sampler.microbatches_per_epoch() == 3);
  CHECK(sampler.rows(0) == Rows{0, 1, 2, 3});
  CHECK(sampler.rows(2) == Rows{8, 9});
  CHECK(sampler.rows(3) == Rows{0, 1, 2, 3});
}

TEST_CASE("an exact division leaves no ragged microbatch", "[data]") {
  const MicrobatchSampler sampler(8, 4, false, 3);
  CHECK(sampler.microbatches_per_epoch() == 2);
  CHECK(sampler.rows(1) == Rows{4, 5, 6, 7});
  CHECK(MicrobatchSampler(3, 8, false, 3).rows(1) == Rows{0, 1, 2});
}

// The orders were computed elsewhere, with XXH64 and the 64-bit Mersenne twister written from their specifications.
TEST_CASE("shuffled orders are the documented ones", "[data]") {
  const MicrobatchSampler sampler(10, 4, true, 3);
  CHECK(sampler.rows(0) == Rows{8, 0, 4, 2});
  CHECK(sampler.rows(1) == Rows{1, 9, 3, 5});
  CHECK(sampler.rows(2) == Rows{7, 6});
  CHECK(sampler.rows(3) == Rows{0, 6, 5, 4});
  CHECK(sampler.rows(8) == Rows{2, 8});
  CHECK(sampler.rows(4) == Rows{9, 8, 3, 1});  // an earlier epoch again
}

TEST_CASE("every epoch holds every row once and differs from the others", "[data]") {
  const MicrobatchSampler sampler(101, 7, true, 9);
  std::vector<Rows> epochs;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    Rows all;
    for (std::int64_t j = 0; j < sampler.microbatches_per_epoch(); ++j) {
      const Rows rows = sampler.rows(epoch * sampler.microbatches_per_epoch() + j);
      all.insert(all.end(), rows.begin(), rows.end());
    }
    epochs.push_back(all);
    std::sort(all.begin(), all.end());
    Rows expected(101);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(all == expected);
  }
  CHECK(epochs[0] != epochs[1]);
  CHECK(epochs[1] != epochs[2]);
}

TEST_CASE("a sampler refuses what cannot be sampled", "[data]") {
  CHECK_THROWS_WITH(MicrobatchSampler(0, 4, true, 1), Contains("0 rows"));
  CHECK_THROWS_WITH(MicrobatchSampler(4, 0, true, 1), Contains("microbatch size is 0"));
  CHECK_THROWS_AS(MicrobatchSampler(4, 2, true, 1).rows(-1), ConfigError);
}

TEST_CASE("a tensor data set fetches rows as copies", "[data]") {
  const torch::Tensor x = torch::arange(12, torch::kFloat32).view({4, 3});
  const TensorDataset data({{"x", x}, {"y", torch::arange(4)}});
  CHECK(data.size() == 4);
  CHECK(data.names() == std::vector<std::string>{"x", "y"});
  torch::Tensor rows = data.fetch("x", {2, 0});
  CHECK(torch::equal(rows, torch::tensor({{6.F, 7.F, 8.F}, {0.F, 1.F, 2.F}})));
  rows.zero_();
  CHECK(x[2][0].item<float>() == 6.F);
  CHECK(torch::equal(data.fetch("y", {3}), torch::tensor({3}, torch::kInt64)));
}

TEST_CASE("consecutive rows are copies like any others", "[data]") {
  const torch::Tensor x = torch::arange(12, torch::kFloat32).view({3, 4}).t();
  const TensorDataset data({{"x", x}});
  torch::Tensor rows = data.fetch("x", {1, 2});
  CHECK(torch::equal(rows, torch::tensor({{1.F, 5.F, 9.F}, {2.F, 6.F, 10.F}})));
  CHECK(rows.strides() == data.fetch("x", {2, 1}).strides());
  rows.zero_();
  CHECK(x[1][0].item<float>() == 1.F);
}

TEST_CASE("a tensor data set names what does not fit", "[data]") {
  CHECK_THROWS_WITH(TensorDataset({{"x", torch::zeros({4, 3})}, {"y", torch::zeros({5})}}),
                    Contains("'x' has 4 rows") && Contains("'y' has 5"));
  CHECK_THROWS_WITH(TensorDataset({{"x", torch::tensor(1.0)}}), Contains("'x' has no rows"));
  const TensorDataset data({{"x", torch::zeros({4, 3})}});
  CHECK_THROWS_WITH(data.fetch("z", {0}), Contains("'z'") && Contains("x"));
  CHECK_THROWS_WITH(data.fetch("x", {4}), Contains("row 4"));
  CHECK_THROWS_AS(data.fetch("x", {-1}), ConfigError);
}

#include "runtime/accumulator.h"

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "pipedream/error.h"

using namespace pipedream;
using pipedream::detail::GradientAccumulator;

namespace {

Tensors one(const std::vector<float>& values) { return {torch::tensor(values)}; }

}  // namespace

TEST_CASE("one full microbatch is handed through untouched") {
  GradientAccumulator accumulator({torch::zeros({2})}, nullptr);
  accumulator.set_nominal_weight(8);
  const Tensors gradient = one({1.5F, -3});
  accumulator.add(gradient, 8, /*only=*/true);
  CHECK(accumulator.take()[0].is_same(gradient[0]));
}

TEST_CASE("microbatches are weighted by their size") {
  GradientAccumulator accumulator({torch::zeros({2})}, nullptr);
  accumulator.set_nominal_weight(4);
  const Tensors first = one({1, 2});
  accumulator.add(first, 4, false);
  accumulator.add(one({4, 8}), 2, false);
  const Tensors mean = accumulator.take();
  CHECK(torch::equal(mean[0], torch::tensor({3.0F, 6.0F}).div(1.5)));
  CHECK(torch::equal(first[0], torch::tensor({1.0F, 2.0F})));  // the caller's tensor is not written
}

TEST_CASE("an undefined gradient stays undefined until something is added") {
  GradientAccumulator accumulator({torch::zeros({1}), torch::zeros({1})}, nullptr);
  accumulator.add({torch::Tensor(), torch::ones({1})}, 1, false);
  accumulator.add({torch::ones({1}), torch::ones({1})}, 1, false);
  const Tensors sum = accumulator.take();
  CHECK(sum[0].item<float>() == 0.5F);
  CHECK(sum[1].item<float>() == 1.0F);
  accumulator.add({torch::Tensor(), torch::ones({1})}, 1, true);
  CHECK_FALSE(accumulator.take()[0].defined());
}

TEST_CASE("replicas are summed and divided by all weights, absent ones left out") {
  run_in_threads(3, [](Communicator& comm) {
    GradientAccumulator accumulator({torch::zeros({2, 2}), torch::zeros({3})}, comm.open_reduce({0, 1, 2}, 0));
    accumulator.set_nominal_weight(2);
    for (int round = 0; round < 3; ++round) {
      const bool absent = round == 1 && comm.rank() == 2;
      const float value = static_cast<float>(comm.rank() + 1);
      if (!absent) accumulator.add({torch::full({2, 2}, value), torch::full({3}, -value)}, 2, true);
      accumulator.reduce_post({true, true, round != 1});
      accumulator.reduce_wait();
      const Tensors mean = accumulator.take();
      const float expected = round == 1 ? 1.5F : 2;
      if (!torch::equal(mean[0], torch::full({2, 2}, expected)) ||
          !torch::equal(mean[1], torch::full({3}, -expected))) {
        throw std::runtime_error("wrong mean");
      }
      accumulator.release();
    }
  });
  SUCCEED();
}

TEST_CASE("a delayed sum and the next one do not mix") {
  run_in_threads(2, [](Communicator& comm) {
    GradientAccumulator accumulator({torch::zeros({1})}, comm.open_reduce({0, 1}, 0));
    accumulator.add({torch::full({1}, 1.0F)}, 1, true);
    accumulator.reduce_post({true, true});
    accumulator.add({torch::full({1}, 10.0F)}, 1, true);
    accumulator.reduce_wait();
    if (accumulator.take()[0].item<float>() != 1) throw std::runtime_error("the open sum leaked into the pending one");
    accumulator.reduce_post({true, true});
    accumulator.reduce_wait();
    if (accumulator.take()[0].item<float>() != 10) throw std::runtime_error("the open sum was lost");
  });
  SUCCEED();
}

TEST_CASE("parameters of several types cannot be summed over replicas") {
  run_in_threads(2, [](Communicator& comm) {
    const Tensors mixed{torch::zeros({1}), torch::zeros({1}, torch::kFloat64)};
    try {
      const GradientAccumulator accumulator(mixed, comm.open_reduce({0, 1}, 0));
    } catch (const ConfigError&) {
      return;
    }
    throw std::runtime_error("mixed types were accepted");
  });
  SUCCEED();
}

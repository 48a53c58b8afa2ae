#include "runtime/random.h"

#include <torch/types.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace pipedream;

namespace {

at::CPUGeneratorImpl& generator() {
  return *static_cast<at::CPUGeneratorImpl*>(at::detail::getDefaultCPUGenerator().unsafeGetGeneratorImpl());
}

}  // namespace

// Computed by an XXH64 written elsewhere from its specification.
TEST_CASE("seeds are XXH64 over the documented bytes", "[random]") {
  CHECK(layer_seed(1, "conv1") == 0xc7a14b60a8ee8652);
  CHECK(forward_seed(7, "dropout", 42) == 0xd44a7de161d0db0c);
  CHECK(shuffle_seed(3, 2) == 0x3112826cf7707829);
}

TEST_CASE("a generator scope seeds the default generator", "[random]") {
  torch::Tensor first;
  {
    const GeneratorScope scope(11);
    first = torch::rand({100});
  }
  torch::Tensor again;
  torch::Tensor other;
  {
    const GeneratorScope scope(11);
    again = torch::rand({100});
  }
  {
    const GeneratorScope scope(12);
    other = torch::rand({100});
  }
  CHECK(torch::equal(first, again));
  CHECK_FALSE(torch::equal(first, other));
}

TEST_CASE("a generator scope gives the generator back as it was", "[random]") {
  torch::manual_seed(5);
  // An odd number of normal draws leaves a sample over, which is part of the state.
  torch::normal(0.0, 1.0, {1}, c10::nullopt, torch::kFloat64);
  torch::rand({7});
  const torch::Tensor before = at::detail::getDefaultCPUGenerator().get_state();
  {
    const GeneratorScope scope(11);
    torch::normal(0.0, 1.0, {3}, c10::nullopt, torch::kFloat64);
    const GeneratorScope nested(12);
    torch::rand({1000});
  }
  CHECK(torch::equal(at::detail::getDefaultCPUGenerator().get_state(), before));
  CHECK(generator().current_seed() == 5);
}

TEST_CASE("the generator is given back when the work throws", "[random]") {
  torch::manual_seed(5);
  const torch::Tensor before = at::detail::getDefaultCPUGenerator().get_state();
  const auto throws_after_draw = [] {
    const GeneratorScope scope(1);
    torch::rand({3});
    throw std::runtime_error("layer");
  };
  CHECK_THROWS_AS(throws_after_draw(), std::runtime_error);
  CHECK(torch::equal(at::detail::getDefaultCPUGenerator().get_state(), before));
}

TEST_CASE("threads that draw in scopes do not disturb each other", "[random]") {
  torch::Tensor expected;
  {
    const GeneratorScope scope(3);
    expected = torch::rand({500});
  }
  std::atomic<int> wrong{0};
  const auto work = [&] {
    for (int i = 0; i < 200; ++i) {
      const GeneratorScope scope(3);
      if (!torch::equal(torch::rand({500}), expected)) ++wrong;
    }
  };
  std::thread one(work);
  std::thread two(work);
  one.join();
  two.join();
  CHECK(wrong == 0);
}

TEST_CASE("layers that draw are told from those that do not", "[random]") {
  const torch::Tensor x = torch::ones({4, 4});
  const torch::Tensor before = at::detail::getDefaultCPUGenerator().get_state();
  CHECK(draws_random_numbers([&] { torch::dropout(x, 0.5, true); }));
  CHECK(draws_random_numbers([&] { torch::randn({1}); }));
  CHECK_FALSE(draws_random_numbers([&] { torch::dropout(x, 0.5, false); }));
  CHECK_FALSE(draws_random_numbers([&] { torch::relu(x); }));
  CHECK(torch::equal(at::detail::getDefaultCPUGenerator().get_state(), before));
}

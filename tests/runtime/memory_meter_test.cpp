#include "runtime/memory_meter.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <thread>

using pipedream::detail::MemoryMeter;

TEST_CASE("the meter counts this thread's allocations while they live", "[memory]") {
  const torch::Tensor before = torch::zeros({100});
  const MemoryMeter meter(torch::kCPU);
  CHECK(meter.live_bytes() == 0);
  torch::Tensor a = torch::zeros({1000});
  CHECK(meter.live_bytes() == 4000);
  CHECK(meter.is_live(a.storage().data()));
  CHECK_FALSE(meter.is_live(before.storage().data()));
  { const torch::Tensor b = a.clone(); }
  CHECK(meter.live_bytes() == 4000);
  CHECK(meter.peak_bytes() == 8000);
  const torch::Tensor view = a.view({10, 100});
  a.reset();
  CHECK(meter.live_bytes() == 4000);
  std::thread([] { torch::zeros({1000}); }).join();
  CHECK(meter.peak_bytes() == 8000);
}

TEST_CASE("the peak starts anew from what lives", "[memory]") {
  MemoryMeter meter(torch::kCPU);
  { torch::zeros({1000}); }
  const torch::Tensor a = torch::zeros({10});
  CHECK(meter.peak_bytes() == 4000);
  meter.reset_peak();
  CHECK(meter.peak_bytes() == 40);
}

TEST_CASE("a backward on the CPU counts", "[memory]") {
  const torch::Tensor x = torch::ones({1000}, torch::requires_grad());
  const torch::Tensor y = (x * x).sum();
  const MemoryMeter meter(torch::kCPU);
  const auto gradient = torch::autograd::grad({y}, {x});
  CHECK(meter.live_bytes() == 4000);
  CHECK(meter.peak_bytes() > 4000);
}

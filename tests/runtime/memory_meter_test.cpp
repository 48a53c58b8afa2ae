#include "runtime/memory_meter.h"

#include <c10/core/Allocator.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <catch2/catch.hpp>
#include <thread>

#include "simulated/device.h"
#include "support/test_device.h"

using pipedream::detail::MemoryMeter;
using namespace pipedream::testing;

TEST_CASE("the meter counts this thread's allocations while they live", "[memory]") {
  const torch::Tensor before = torch::zeros({100}, test_device());
  const MemoryMeter meter(test_device());
  const MemoryMeter::Scope scope(meter);
  CHECK(meter.live_bytes() == 0);
  torch::Tensor a = torch::zeros({1000}, test_device());
  CHECK(meter.live_bytes() == 4000);
  CHECK(meter.bytes_of(a.storage().data()) == 4000);
  CHECK(meter.bytes_of(before.storage().data()) == 0);
  { const torch::Tensor b = a.clone(); }
  CHECK(meter.live_bytes() == 4000);
  CHECK(meter.peak_bytes() == 8000);
  const torch::Tensor view = a.view({10, 100});
  a.reset();
  CHECK(meter.live_bytes() == 4000);
  std::thread([] { torch::zeros({1000}, test_device()); }).join();
  CHECK(meter.peak_bytes() == 8000);
}

TEST_CASE("the peak starts anew from what lives", "[memory]") {
  MemoryMeter meter(test_device());
  const MemoryMeter::Scope scope(meter);
  { torch::zeros({1000}, test_device()); }
  const torch::Tensor a = torch::zeros({10}, test_device());
  CHECK(meter.peak_bytes() == 4000);
  meter.reset_peak();
  CHECK(meter.peak_bytes() == 40);
}

TEST_CASE("a backward counts, on whatever thread it runs", "[memory]") {
  const torch::Tensor x = torch::ones({1000}, torch::requires_grad().device(test_device()));
  const torch::Tensor y = (x * x).sum();
  const MemoryMeter meter(test_device());
  const MemoryMeter::Scope scope(meter);
  const auto gradient = torch::autograd::grad({y}, {x});
  CHECK(meter.live_bytes() == 4000);
  CHECK(meter.peak_bytes() > 4000);
}

// A thread of the autograd engine may free memory when it has left the backward, and with it the reporting.
TEST_CASE("memory whose end nobody reported does not count twice", "[memory]") {
  const MemoryMeter meter(test_device());
  const MemoryMeter::Scope scope(meter);
  int place = 0;
  c10::reportMemoryUsageToProfiler(&place, 100, 0, 0, test_device());
  c10::reportMemoryUsageToProfiler(&place, 60, 0, 0, test_device());
  CHECK(meter.live_bytes() == 60);
  c10::reportMemoryUsageToProfiler(&place, -60, 0, 0, test_device());
  CHECK(meter.live_bytes() == 0);
}

TEST_CASE("what another meter's thread frees is free, and what it adopts counts there", "[memory]") {
  MemoryMeter sender(test_device());
  MemoryMeter receiver(test_device());
  const torch::Tensor unknown = torch::zeros({100}, test_device());
  torch::Tensor freed;
  torch::Tensor kept;
  {
    const MemoryMeter::Scope scope(sender);
    freed = torch::zeros({1000}, test_device());
    kept = torch::zeros({10}, test_device());
  }
  CHECK(sender.live_bytes() == 4040);
  std::thread([&] {
    const MemoryMeter::Scope scope(receiver);
    receiver.adopt(kept);
    receiver.adopt(kept);
    receiver.adopt(unknown);
    freed.reset();
  }).join();
  CHECK(sender.live_bytes() == 0);
  CHECK(receiver.live_bytes() == 40);
  CHECK(receiver.bytes_of(kept.storage().data()) == 40);
  CHECK(sender.bytes_of(kept.storage().data()) == 0);
  std::thread([&] {
    const MemoryMeter::Scope scope(sender);
    kept.reset();
  }).join();
  CHECK(receiver.live_bytes() == 0);
}

TEST_CASE("a meter that is gone counts nothing", "[memory]") {
  torch::Tensor tensor;
  {
    const MemoryMeter meter(test_device());
    const MemoryMeter::Scope scope(meter);
    tensor = torch::zeros({1000}, test_device());
  }
  const MemoryMeter meter(test_device());
  const MemoryMeter::Scope scope(meter);
  tensor.reset();
  CHECK(meter.live_bytes() == 0);
}

TEST_CASE("the memory of another device does not count", "[.device]") {
  const MemoryMeter meter(simulated_device(0));
  const MemoryMeter::Scope scope(meter);
  const torch::Tensor other = torch::zeros({1000}, simulated_device(1));
  const torch::Tensor on_cpu = torch::zeros({1000});
  CHECK(meter.live_bytes() == 0);
  const torch::Tensor own = torch::zeros({1000}, simulated_device(0));
  CHECK(meter.live_bytes() == 4000);
}

TEST_CASE("an allocation counts with what the allocator gave", "[.device]") {
  const MemoryMeter meter(simulated_device());
  const MemoryMeter::Scope scope(meter);
  round_simulated_allocations(simulated_device(), 512);
  torch::Tensor tensor = torch::zeros({1}, simulated_device());
  round_simulated_allocations(simulated_device(), 1);
  CHECK(meter.live_bytes() == 512);
  CHECK(meter.bytes_of(tensor.storage().data()) == 512);
  tensor.reset();
  CHECK(meter.live_bytes() == 0);
}

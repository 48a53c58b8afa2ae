#include "runtime/time_point.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "support/test_device.h"

using pipedream::detail::TimePoint;

TEST_CASE("the time between two points", "[profiler]") {
  const torch::Device device = pipedream::testing::test_device();
  const TimePoint first = TimePoint::now(device);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const TimePoint second = TimePoint::now(device);
  second.synchronize();
  CHECK(second.microseconds_since(first) >= 5000);
  CHECK(second.microseconds_since(first) < 5e6);
  CHECK(first.microseconds_since(second) == -second.microseconds_since(first));
}

// The GPUs of this machine, as far as tests ask. A test that needs more of them is left out, unless
// PIPEDREAM_TEST_DEVICE asks for them: then it fails.
#pragma once

#include <c10/cuda/CUDAFunctions.h>

#include <catch2/catch.hpp>
#include <cstdlib>

namespace pipedream::testing {

inline bool has_devices(int wanted) {
  const int count = c10::cuda::device_count();
  if (std::getenv("PIPEDREAM_TEST_DEVICE") != nullptr) REQUIRE(count >= wanted);
  if (count < wanted) WARN("left out: it needs " << wanted << " CUDA device(s), and there are " << count);
  return count >= wanted;
}

inline bool has_no_device() {
  const int count = c10::cuda::device_count();
  if (count > 0) WARN("left out: it needs a machine without CUDA devices, and there are " << count);
  return count == 0;
}

}  // namespace pipedream::testing

// What a program that is linked with CUDA says on a machine without it.
#include <catch2/catch.hpp>
#include <chrono>

#include "devices.h"
#include "support/child_process.h"

using namespace pipedream::testing;

TEST_CASE("a program that is to compute on a device that is not there ends with exit code 2") {
  if (!has_no_device()) return;
  ChildProcess digits({PIPEDREAM_DIGITS, "train", "--device", "cuda"});
  const auto code = digits.wait(std::chrono::seconds(30));
  INFO(digits.output());
  REQUIRE(code.has_value());
  CHECK(*code == 2);
  CHECK_THAT(digits.output(), Catch::Contains("device cuda: no cuda device was found"));
}

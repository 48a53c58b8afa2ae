// What only a device can get wrong.
#include "simulated/device.h"

#include <catch2/catch.hpp>

#include "support/exactness.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

std::vector<std::string> host_waits(std::int64_t microbatches) {
  const TestModel model = branch_model(26);
  ExactnessCase example{.model = model, .plan = even_plan(model.graph, Algorithm::pipedream, {2, 1})};
  example.segments = {microbatches};
  example.device = simulated_device();
  take_findings();
  run_workers(example);
  return take_findings().host_waits;
}

}  // namespace

// Waits at the start and the end are as many for a long run.
TEST_CASE("the host does not wait for the device in the steady state", "[device]") {
  CHECK(host_waits(30).size() == host_waits(12).size());
}

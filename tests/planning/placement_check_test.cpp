#include "planning/placement_check.h"

#include <string>
#include <vector>

#include "support.h"

using namespace pipedream;
using namespace pipedream::testing;
using detail::check_placement;

namespace {

detail::PlacementCheck check(std::vector<int> servers, const std::vector<std::string>& machines) {
  PlanPlacement placement{std::move(servers), {}};
  placement.devices.resize(placement.servers.size());
  return check_placement(placement, machines);
}

}  // namespace

TEST_CASE("workers are where the plan has them when servers and machines divide them alike") {
  CHECK(check({0, 0, 1, 1}, {"a", "a", "b", "b"}).is_as_placed);
  CHECK(check({1, 0, 1}, {"a", "b", "a"}).is_as_placed);
  CHECK(check({}, {}).is_as_placed);
  CHECK(check({0, 0, 1, 1}, {"a", "a", "b", "b"}).apart.empty());
}

TEST_CASE("workers of one server on different machines are named") {
  const auto turned = check({0, 0, 1, 1}, {"a", "b", "a", "b"});
  CHECK_FALSE(turned.is_as_placed);
  CHECK(turned.apart == "workers 0 and 1 are on server 0 of the plan, but run on a and b");
}

TEST_CASE("servers that share a machine are not as planned, and nobody is apart") {
  const auto together = check({0, 0, 1, 1}, {"a", "a", "a", "a"});
  CHECK_FALSE(together.is_as_placed);
  CHECK(together.apart.empty());
}

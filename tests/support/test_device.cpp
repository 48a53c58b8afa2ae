#include "support/test_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>

#include "simulated/device.h"

namespace pipedream::testing {

torch::Device test_device() {
  const char* const name = std::getenv("PIPEDREAM_TEST_DEVICE");
  if (name == nullptr) return torch::kCPU;
  return name == std::string("sim") ? simulated_device() : torch::Device(name);
}

std::string device_faults() {
  const SimulatedFindings findings = take_findings();
  return findings.races.empty() ? "" : fmt::format("races: {}", fmt::join(findings.races, "; "));
}

}  // namespace pipedream::testing

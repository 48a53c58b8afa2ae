#include "support/test_device.h"

#include <ATen/Context.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>

#include "simulated/device.h"
#include "simulated/nccl.h"
#include "transport/nccl/communicator.h"

namespace pipedream::testing {

namespace {

// Else two runs of the same operators on a GPU may differ in their last bits.
void compute_exactly() {
  auto& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
}

torch::Device chosen_device() {
  const char* const name = std::getenv("PIPEDREAM_TEST_DEVICE");
  if (name == nullptr) return torch::kCPU;
  if (name == std::string("sim")) return simulated_device();
  compute_exactly();
  const torch::Device device(name);
  return device.has_index() || device.is_cpu() ? device : torch::Device(device.type(), 0);
}

}  // namespace

torch::Device test_device() {
  static const torch::Device device = chosen_device();
  return device;
}

namespace {

bool over_nccl() {
  const char* const value = std::getenv("PIPEDREAM_TEST_NCCL");
  return value != nullptr && value == std::string("1");
}

// A worker of the simulated device has a stand-in for NCCL of its own.
void with_nccl(Communicator& host, const std::function<void(Communicator&)>& work) {
  const torch::Device device = test_device();
  SimulatedNccl simulated;
  const bool real = device.is_cuda();
  const auto comm = detail::make_nccl_communicator(host, device, real ? detail::linked_nccl_calls() : &simulated);
  try {
    work(*comm);
  } catch (const std::exception& error) {
    // What is on its way must end before what it uses goes.
    comm->abort(error.what());
    throw;
  }
}

}  // namespace

void run_test_workers(int workers, const std::function<void(Communicator&)>& work) {
  run_in_threads(workers, [&](Communicator& host) { over_nccl() ? with_nccl(host, work) : work(host); });
}

std::string device_faults() {
  const SimulatedFindings findings = take_findings();
  return findings.races.empty() ? "" : fmt::format("races: {}", fmt::join(findings.races, "; "));
}

}  // namespace pipedream::testing

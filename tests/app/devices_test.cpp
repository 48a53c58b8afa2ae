#include "app/devices.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "pipedream/communicator.h"
#include "planning/atomic_file.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using namespace pipedream::testing;

namespace {

// By worker. All workers are threads, so on one machine.
std::vector<torch::Device> placed(const std::string& plan, const std::string& device, int workers) {
  pipedream::detail::Options options;
  options.plan = plan;
  options.device = pipedream::detail::parse_device(device);
  std::vector<torch::Device> devices(static_cast<std::size_t>(workers), torch::kCPU);
  run_in_threads(workers, [&](Communicator& comm) {
    devices[static_cast<std::size_t>(comm.rank())] = pipedream::detail::placed_device(comm, options);
  });
  return devices;
}

std::string plan_text(const std::string& placement) {
  return R"({"format": "pipedream-plan", "version": 1, "algorithm": "pipedream", "stages": [
    {"layers": ["a"], "workers": [0]}, {"layers": ["b"], "workers": [1]}])" +
         placement + "}";
}

}  // namespace

TEST_CASE("workers take the devices of the plan's placement, where it is of these machines") {
  const ScratchFolder folder;
  const std::string plan = folder / "plan.json";
  const auto with = [&](const std::string& placement, const std::string& device = "cuda", int workers = 2) {
    write_file_atomically(plan, plan_text(placement));
    return placed(plan, device, workers);
  };
  using Devices = std::vector<torch::Device>;
  const torch::Device any = torch::kCUDA;
  const std::string turned = R"(, "placement": {"servers": [0, 0], "devices": [1, 0]})";
  CHECK(with(turned) == Devices{{torch::kCUDA, 1}, {torch::kCUDA, 0}});
  CHECK(with(turned, "cuda:3") == Devices{{torch::kCUDA, 3}, {torch::kCUDA, 3}});
  CHECK(with(turned, "cpu") == Devices{torch::kCPU, torch::kCPU});
  CHECK(with(R"(, "placement": {"servers": [0, 0], "devices": [0, 300]})")[1].index() == 127);
  // The plan is for other machines, or says nothing, or is refused later.
  CHECK(with(R"(, "placement": {"servers": [0, 1], "devices": [0, 0]})") == Devices{any, any});
  CHECK(with("") == Devices{any, any});
  CHECK(with(turned, "cuda", 3) == Devices{any, any, any});
  CHECK(placed("", "cuda", 1) == Devices{any});
}

#include "app/devices.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>

#include "app/agree.h"
#include "pipedream/error.h"
#include "pipedream/nccl_communicator.h"
#include "pipedream/plan.h"
#include "planning/placement_check.h"
#include "runtime/device_facts.h"
#include "transport/device.h"

namespace pipedream::detail {
namespace {

// Why NCCL cannot be used; empty where it can. NCCL takes each device for one worker only.
std::string reason_against_nccl(Communicator& host, torch::Device device) {
  if (!has_nccl()) return "this program is not linked with pipedream::cuda";
  std::map<std::string, int> workers;
  int worker = 0;
  for (const std::string& place : host.all_gather(place_of(device))) {
    const auto [other, is_first] = workers.emplace(place, worker);
    if (!is_first) return fmt::format("workers {} and {} share {}", other->second, worker, place);
    ++worker;
  }
  return "";
}

}  // namespace

torch::Device parse_device(const std::string& text) {
  try {
    return torch::Device(text);
  } catch (const c10::Error&) {
    throw ConfigError(fmt::format("--device {}: it must be cpu, cuda, or cuda:N", text));
  }
}

torch::Device placed_device(Communicator& comm, const Options& options) {
  if (options.plan.empty()) return options.device;
  const PlanPlacement placement = agreed(comm, [&] { return read_plan(options.plan).placement; });
  const auto workers = static_cast<std::size_t>(comm.size());
  if (placement.servers.size() != workers) return options.device;
  const std::vector<std::string> machines = comm.all_gather(machine_name());
  const PlacementCheck check = check_placement(placement, machines);
  if (!check.apart.empty() && comm.rank() == 0) {
    spdlog::warn(
        "{}: what the plan keeps inside a server will cross between machines; mpirun --map-by slot numbers "
        "the workers of a machine one after the other",
        check.apart);
  }
  if (options.device.is_cpu() || options.device.has_index() || !check.is_as_placed) return options.device;
  // The greatest number that LibTorch knows stands for all beyond it: no machine has as many.
  constexpr int kGreatest = std::numeric_limits<c10::DeviceIndex>::max();
  const int device = std::min(placement.devices[static_cast<std::size_t>(comm.rank())], kGreatest);
  return {options.device.type(), static_cast<c10::DeviceIndex>(device)};
}

void check_device(Communicator& comm, const Options& options) {
  agreed(comm, [&] { resolve_device(options.device, comm); });
}

std::unique_ptr<Communicator> open_nccl(Communicator& host, const Options& options) {
  if (options.device.is_cpu() || options.transport == DeviceTransport::host || host.size() == 1) return nullptr;
  const torch::Device device = resolve_device(options.device, host);
  // Streams of different peers must not wait for each other in the device's queues. Read when the device is first used.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", /*overwrite=*/0);
  if (options.transport == DeviceTransport::nccl) return make_nccl_communicator(host, device);
  const std::string reason = reason_against_nccl(host, device);
  if (reason.empty()) return make_nccl_communicator(host, device);
  if (host.rank() == 0) {
    spdlog::warn("activations and gradients travel through the host's memory, which is slower than NCCL: {}", reason);
  }
  return nullptr;
}

}  // namespace pipedream::detail

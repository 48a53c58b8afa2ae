#include "runtime/device_facts.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <vector>

namespace pipedream::detail {
namespace {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return "CPU " + line.substr(colon + 2);
  }
  return "CPU";
}

std::int64_t memory_bytes(torch::Device device) {
  if (device.is_cpu()) return 0;
  auto* const allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
  if (allocator == nullptr) return 0;
  try {
    return static_cast<std::int64_t>(allocator->getMemoryInfo(device.index()).second);
  } catch (const c10::NotImplementedError&) {
    return 0;
  }
}

}  // namespace

std::string device_name(torch::Device device) { return device.is_cpu() ? processor_name() : device.str(); }

std::string machine_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string place_of(torch::Device device) { return fmt::format("{} of {}", device.str(), machine_name()); }

std::int64_t memory_bytes_per_worker(Communicator& comm, torch::Device device) {
  const std::string place = place_of(device);
  const std::vector<std::string> places = comm.all_gather(place);
  const std::int64_t mine = memory_bytes(device) / std::count(places.begin(), places.end(), place);
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const std::string& bytes : comm.all_gather(std::to_string(mine))) {
    least = std::min<std::int64_t>(least, std::stoll(bytes));
  }
  return least;
}

}  // namespace pipedream::detail

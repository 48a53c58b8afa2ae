// A device of LibTorch that no machine needs to have: its operators run on the CPU at once, while streams, events and
// memory are held against the rules of a real device. It takes the place of MTIA, an accelerator that LibTorch knows
// and has no code for: of all device types the one that is most like CUDA to the rest of LibTorch.
//
// As on a GPU the backward runs on the device's own thread of the autograd engine. Races between streams, memory freed
// while another stream may use it, and waits of the host for the device are counted and described. Process-wide.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pipedream::testing {

// Registers the devices with LibTorch at the first call.
torch::Device simulated_device(int index = 0);

// What each of them says it has.
inline constexpr std::int64_t kSimulatedMemoryBytes = std::int64_t{1} << 30;

// From now on the device says that it allocates in multiples of this, as caching allocators do. At first 1.
void round_simulated_allocations(torch::Device device, std::int64_t to_bytes);

// While it lives, one of the devices has no more than these bytes.
class ScopedMemoryLimit {
 public:
  ScopedMemoryLimit(int device, std::int64_t bytes);
  ~ScopedMemoryLimit();
  ScopedMemoryLimit(const ScopedMemoryLimit&) = delete;
  ScopedMemoryLimit& operator=(const ScopedMemoryLimit&) = delete;

 private:
  int device_;
};

struct SimulatedFindings {
  std::vector<std::string> races;       // the first of them
  std::vector<std::string> host_waits;  // operators whose result the host waits for
};

// What was found since the last call.
SimulatedFindings take_findings();

}  // namespace pipedream::testing

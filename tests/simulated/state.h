// What the parts of the simulated device share.
#pragma once

#include <c10/core/Stream.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <mutex>
#include <string>
#include <vector>

#include "simulated/clocks.h"
#include "simulated/device.h"
#include "simulated/queues.h"

namespace pipedream::testing {

inline constexpr c10::DeviceType kSimulated = c10::DeviceType::MTIA;
inline constexpr c10::DispatchKey kSimulatedKey = c10::DispatchKey::MTIA;
inline constexpr int kSimulatedDevices = 2;

inline c10::Device device_at(int index) { return {kSimulated, static_cast<c10::DeviceIndex>(index)}; }

class SimulatedState {
 public:
  static SimulatedState& instance();

  Clocks clocks;
  Queues queues;
  void report_race(const std::string& race);
  void report_host_wait(const std::string& what);
  SimulatedFindings take();

 private:
  std::mutex mutex_;
  SimulatedFindings findings_;
};

// Of the calling thread.
c10::Stream current_stream(int device);
int current_device();

// Called once.
void register_guard();
void register_hooks();
void register_memory();
void register_operators();

}  // namespace pipedream::testing

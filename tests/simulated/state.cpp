#include "simulated/state.h"

#include <mutex>
#include <utility>

namespace pipedream::testing {

namespace {

constexpr std::size_t kMostFindings = 1000;

}  // namespace

SimulatedState& SimulatedState::instance() {
  static auto* state = new SimulatedState;  // memory is freed by threads that outlive main's objects
  return *state;
}

void SimulatedState::report_race(const std::string& race) {
  const std::lock_guard lock(mutex_);
  if (findings_.races.size() < kMostFindings) findings_.races.push_back(race);
}

void SimulatedState::report_host_wait(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (findings_.host_waits.size() < kMostFindings) findings_.host_waits.push_back(what);
}

SimulatedFindings SimulatedState::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(findings_, {});
}

torch::Device simulated_device(int index) {
  static std::once_flag once;
  std::call_once(once, [] {
    register_guard();
    register_hooks();
    register_memory();
    register_operators();
  });
  return device_at(index);
}

SimulatedFindings take_findings() { return SimulatedState::instance().take(); }

}  // namespace pipedream::testing

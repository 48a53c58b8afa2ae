// Devices, streams and events of the simulated device.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/MTIAHooksInterface.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>

#include "simulated/state.h"

namespace pipedream::testing {

namespace {

constexpr int kPoolStreams = 32;

// Device 0 and its default stream until a thread sets others.
struct ThreadState {
  int device = 0;
  std::array<std::int64_t, kSimulatedDevices> streams{};
};
thread_local ThreadState thread_state;

c10::Stream make_stream(int device, std::int64_t id) { return c10::Stream(c10::Stream::UNSAFE, device_at(device), id); }

// A host that asks an event once finds it pending: on a device it may be.
struct SimulatedEvent {
  std::shared_ptr<Point> point;
  std::atomic<int> asked{0};
  StreamKey stream;
  std::chrono::steady_clock::time_point time;
};

// Up to when each stream's events have been waited for: those before need not be asked.
class Awaited {
 public:
  void wait_for(const SimulatedEvent& event) {
    const std::lock_guard lock(mutex_);
    auto& until = until_[event.stream];
    until = std::max(until, event.time);
  }
  bool covers(const SimulatedEvent& event) {
    const std::lock_guard lock(mutex_);
    return event.time <= until_[event.stream];
  }

 private:
  std::mutex mutex_;
  std::map<StreamKey, std::chrono::steady_clock::time_point> until_;
};
Awaited& awaited() {
  static Awaited instance;
  return instance;
}

class Guard final : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override { return kSimulated; }
  c10::Device exchangeDevice(c10::Device device) const override {
    const c10::Device before = getDevice();
    setDevice(device);
    return before;
  }
  c10::Device getDevice() const override { return device_at(thread_state.device); }
  void setDevice(c10::Device device) const override { thread_state.device = device.index(); }
  void uncheckedSetDevice(c10::Device device) const noexcept override { thread_state.device = device.index(); }
  c10::DeviceIndex deviceCount() const noexcept override { return kSimulatedDevices; }

  c10::Stream getStream(c10::Device device) const override { return current_stream(device.index()); }
  c10::Stream getDefaultStream(c10::Device device) const override { return make_stream(device.index(), 0); }
  c10::Stream getStreamFromGlobalPool(c10::Device device, bool) const override {
    static std::atomic<int> next{0};
    return make_stream(device.index(), 1 + next.fetch_add(1) % kPoolStreams);
  }
  c10::Stream exchangeStream(c10::Stream stream) const override {
    const c10::Stream before = current_stream(stream.device_index());
    thread_state.streams.at(static_cast<std::size_t>(stream.device_index())) = stream.id();
    return before;
  }

  void record(void** event, const c10::Stream& stream, const c10::DeviceIndex, const c10::EventFlag) const override {
    if (*event == nullptr) *event = new SimulatedEvent;
    auto& recorded = *static_cast<SimulatedEvent*>(*event);
    recorded.point = SimulatedState::instance().queues.record(stream);
    recorded.asked = 0;
    recorded.stream = key_of(stream);
    recorded.time = std::chrono::steady_clock::now();
  }
  void block(void* event, const c10::Stream& stream) const override {
    if (event != nullptr) {
      SimulatedState::instance().queues.come_after(stream, static_cast<SimulatedEvent*>(event)->point);
    }
  }
  bool queryEvent(void* event) const override {
    if (event == nullptr) return true;
    auto& asked_for = *static_cast<SimulatedEvent*>(event);
    const bool asked = awaited().covers(asked_for) || asked_for.asked.fetch_add(1) > 0;
    return asked && SimulatedState::instance().queues.is_reached(*asked_for.point);
  }
  void synchronizeEvent(void* event) const override {
    SimulatedState::instance().report_host_wait("an event");
    if (event == nullptr) return;
    SimulatedState::instance().queues.await(*static_cast<SimulatedEvent*>(event)->point);
    awaited().wait_for(*static_cast<SimulatedEvent*>(event));
  }
  double elapsedTime(void* from, void* to, const c10::DeviceIndex) const override {
    const auto time = static_cast<SimulatedEvent*>(to)->time - static_cast<SimulatedEvent*>(from)->time;
    return std::chrono::duration<double, std::milli>(time).count();
  }
  void destroyEvent(void* event, const c10::DeviceIndex) const noexcept override {
    delete static_cast<SimulatedEvent*>(event);
  }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override { SimulatedState::instance().report_host_wait("a stream"); }
  void recordDataPtrOnStream(const c10::DataPtr& data, const c10::Stream& stream) const override {
    SimulatedState::instance().clocks.used_by(data.get(), stream);
  }
};

struct Hooks final : at::MTIAHooksInterface {
  bool hasMTIA() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return kSimulatedDevices; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static const at::Generator generator = at::detail::createCPUGenerator();  // its operators draw from the CPU's own
    return generator;
  }
  c10::Allocator* getPinnedMemoryAllocator() const override { return c10::GetCPUAllocator(); }
};

}  // namespace

c10::Stream current_stream(int device) {
  return make_stream(device, thread_state.streams.at(static_cast<std::size_t>(device)));
}

int current_device() { return thread_state.device; }

void register_guard() {
  static Guard guard;
  c10::impl::device_guard_impl_registry[static_cast<std::size_t>(kSimulated)].store(&guard);
}

void register_hooks() {
  at::MTIAHooksRegistry()->Register("MTIAHooks", [](at::MTIAHooksArgs) { return std::make_unique<Hooks>(); });
}

}  // namespace pipedream::testing

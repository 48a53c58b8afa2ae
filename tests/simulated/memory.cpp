#include "simulated/memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Storage.h>

#include <array>
#include <atomic>

#include "simulated/state.h"

namespace pipedream::testing {

namespace {

std::array<std::atomic<std::int64_t>, kSimulatedDevices> granularity{1, 1};
std::array<std::atomic<std::int64_t>, kSimulatedDevices> limit{kSimulatedMemoryBytes, kSimulatedMemoryBytes};
std::array<std::atomic<std::int64_t>, kSimulatedDevices> in_use{};

struct Watched {
  c10::DataPtr memory;
  std::int64_t bytes;
  c10::Device device;
};

// To LibTorch's profilers, as a caching allocator does, without its totals.
void report(void* memory, std::int64_t bytes, c10::Device device) {
  c10::reportMemoryUsageToProfiler(memory, bytes, 0, 0, device);
}

void release(void* context) {
  auto* watched = static_cast<Watched*>(context);
  void* const address = watched->memory.get();
  SimulatedState& state = SimulatedState::instance();
  const std::string race = state.clocks.freed(address);
  if (!race.empty()) state.report_race(race);
  report(address, -watched->bytes, watched->device);
  in_use.at(static_cast<std::size_t>(watched->device.index())) -= watched->bytes;
  delete watched;
}

// The memory of a simulated tensor: that of the CPU, watched.
c10::DataPtr watch(c10::DataPtr memory, std::size_t bytes, int device) {
  void* const address = memory.get();
  const std::int64_t step = granularity.at(static_cast<std::size_t>(device));
  const std::int64_t given = (static_cast<std::int64_t>(bytes) + step - 1) / step * step;
  std::atomic<std::int64_t>& used = in_use.at(static_cast<std::size_t>(device));
  TORCH_CHECK_WITH(OutOfMemoryError, used + given <= limit.at(static_cast<std::size_t>(device)), "simulated device ",
                   device, " is out of memory");
  used += given;
  SimulatedState::instance().clocks.made(address, current_stream(device));
  auto* const watched = new Watched{std::move(memory), given, device_at(device)};
  report(address, watched->bytes, watched->device);
  return {address, watched, &release, device_at(device)};
}

class SimulatedAllocator final : public c10::DeviceAllocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    return watch(c10::GetCPUAllocator()->allocate(bytes), bytes, current_device());
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    c10::GetCPUAllocator()->copy_data(to, from, bytes);
  }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr& data, c10::Stream stream) override {
    SimulatedState::instance().clocks.used_by(data.get(), stream);
  }
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override { return {}; }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override {}
  std::pair<std::size_t, std::size_t> getMemoryInfo(c10::DeviceIndex) override {
    return {kSimulatedMemoryBytes, kSimulatedMemoryBytes};
  }
};

template <class T>
void destroy(void* object) {
  delete static_cast<T*>(object);
}

c10::Storage storage_of(c10::DataPtr data, std::size_t bytes) {
  return {c10::Storage::use_byte_size_t(), bytes, std::move(data), nullptr, /*resizable=*/false};
}

}  // namespace

at::Tensor tensor_on(c10::Storage storage, c10::DispatchKey key, const at::Tensor& like) {
  at::Tensor tensor =
      at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(key), like.dtype());
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  return tensor;
}

at::Tensor on_cpu(const at::Tensor& simulated) {
  const c10::Storage& storage = simulated.storage();
  auto* const owner = new c10::Storage(storage);
  c10::DataPtr data(storage.mutable_data_ptr().get(), owner, &destroy<c10::Storage>, c10::Device(c10::kCPU));
  return tensor_on(storage_of(std::move(data), storage.nbytes()), c10::DispatchKey::CPU, simulated);
}

at::Tensor adopt(const at::Tensor& cpu) {
  auto* const owner = new at::Tensor(cpu);
  c10::DataPtr data(cpu.storage().mutable_data_ptr().get(), owner, &destroy<at::Tensor>, c10::Device(c10::kCPU));
  const std::size_t bytes = cpu.storage().nbytes();
  return tensor_on(storage_of(watch(std::move(data), bytes, current_device()), bytes), kSimulatedKey, cpu);
}

ScopedMemoryLimit::ScopedMemoryLimit(int device, std::int64_t bytes) : device_(device) {
  limit.at(static_cast<std::size_t>(device)) = bytes;
}

ScopedMemoryLimit::~ScopedMemoryLimit() { limit.at(static_cast<std::size_t>(device_)) = kSimulatedMemoryBytes; }

void round_simulated_allocations(torch::Device device, std::int64_t to_bytes) {
  granularity.at(static_cast<std::size_t>(device.index())) = to_bytes;
}

const void* memory_of(const at::Tensor& tensor) { return tensor.storage().data_ptr().get(); }

void register_memory() {
  static SimulatedAllocator allocator;
  c10::SetAllocator(kSimulated, &allocator);
}

}  // namespace pipedream::testing

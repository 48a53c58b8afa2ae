#include "simulated/memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/Storage.h>

#include "simulated/state.h"

namespace pipedream::testing {

namespace {

void release(void* context) {
  auto* memory = static_cast<c10::DataPtr*>(context);
  SimulatedState& state = SimulatedState::instance();
  const std::string race = state.clocks.freed(memory->get());
  if (!race.empty()) state.report_race(race);
  delete memory;
}

// The memory of a simulated tensor: that of the CPU, watched.
c10::DataPtr watch(c10::DataPtr memory, int device) {
  void* const address = memory.get();
  SimulatedState::instance().clocks.made(address, current_stream(device));
  return {address, new c10::DataPtr(std::move(memory)), &release, device_at(device)};
}

class SimulatedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    return watch(c10::GetCPUAllocator()->allocate(bytes), current_device());
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    c10::GetCPUAllocator()->copy_data(to, from, bytes);
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
  return tensor_on(storage_of(watch(std::move(data), current_device()), cpu.storage().nbytes()), kSimulatedKey, cpu);
}

const void* memory_of(const at::Tensor& tensor) { return tensor.storage().data_ptr().get(); }

void register_memory() {
  static SimulatedAllocator allocator;
  c10::SetAllocator(kSimulated, &allocator);
}

}  // namespace pipedream::testing

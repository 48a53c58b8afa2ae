#include "transport/staging.h"

#include <ATen/Context.h>
#include <ATen/ops/empty_strided.h>

namespace pipedream::detail {

bool needs_staging(const at::Tensor& tensor) { return tensor.defined() && !tensor.is_cpu() && !tensor.is_meta(); }

at::Tensor copy_to_host(const at::Tensor& tensor) {
  const auto options = tensor.options().device(torch::kCPU).pinned_memory(true);
  at::Tensor copy = at::empty_strided(tensor.sizes(), tensor.strides(), options);
  return copy.copy_(tensor, /*non_blocking=*/true);
}

c10::DataPtr allocate_for_device(torch::Device device, std::int64_t bytes) {
  c10::Allocator* const allocator =
      at::globalContext().getAcceleratorHooksInterface(device.type()).getPinnedMemoryAllocator();
  return allocator->allocate(static_cast<std::size_t>(bytes));
}

}  // namespace pipedream::detail

#include "transport/tensor_on_memory.h"

#include <ATen/EmptyTensor.h>

#include <utility>

namespace pipedream::detail {

at::Tensor tensor_on_memory(c10::DataPtr memory, std::int64_t bytes, at::ScalarType dtype, at::IntArrayRef sizes,
                            at::IntArrayRef strides) {
  const c10::Device device = memory.device();
  c10::Storage storage(c10::Storage::use_byte_size_t(), static_cast<std::size_t>(bytes), std::move(memory),
                       c10::GetAllocator(device.type()), /*resizable=*/true);
  const c10::DispatchKeySet key(c10::computeDispatchKey(dtype, at::kStrided, device));
  at::Tensor tensor =
      at::detail::make_tensor<c10::TensorImpl>(std::move(storage), key, c10::scalarTypeToTypeMeta(dtype));
  tensor.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
  return tensor;
}

}  // namespace pipedream::detail

// A tensor on memory that has been received.
#pragma once

#include <c10/core/Allocator.h>
#include <torch/types.h>

#include <cstdint>

namespace pipedream::detail {

// Dense, without a copy, on the device of the memory, which it owns; bytes: of its elements.
at::Tensor tensor_on_memory(c10::DataPtr memory, std::int64_t bytes, at::ScalarType dtype, at::IntArrayRef sizes,
                            at::IntArrayRef strides);

}  // namespace pipedream::detail

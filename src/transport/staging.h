// Tensors of a device on their way through the host's memory, for transports that know only that.
#pragma once

#include <c10/core/Allocator.h>
#include <torch/types.h>

#include <cstdint>

namespace pipedream::detail {

// Whether the tensor's memory cannot be read by the host.
bool needs_staging(const at::Tensor& tensor);

// A dense tensor's copy in memory of the host that the device writes by itself; it is there when a mark that this
// thread sets after the call is reached.
at::Tensor copy_to_host(const at::Tensor& tensor);

// Memory of the host that the device reads by itself: a copy of it to the device makes nobody wait.
c10::DataPtr allocate_for_device(torch::Device device, std::int64_t bytes);

}  // namespace pipedream::detail

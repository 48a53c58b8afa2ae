// Tensors of the simulated device and the tensors of the CPU that share their memory.
#pragma once

#include <torch/types.h>

namespace pipedream::testing {

// A tensor of the CPU on the same memory.
at::Tensor on_cpu(const at::Tensor& simulated);

// A tensor of the current simulated device that takes over the memory of a tensor of the CPU.
at::Tensor adopt(const at::Tensor& cpu);

// A tensor of that backend on the storage, with the shape and place of `like`.
at::Tensor tensor_on(c10::Storage storage, c10::DispatchKey key, const at::Tensor& like);

// What a tensor's memory is known by.
const void* memory_of(const at::Tensor& tensor);

}  // namespace pipedream::testing

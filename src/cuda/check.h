// Results of NCCL and CUDA as exceptions.
#pragma once

#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#include <nccl.h>
#include <torch/types.h>

#include <string>

namespace pipedream::detail {

// "ncclSend: unhandled system error (NCCL's last words: ...)"
std::string nccl_text(ncclResult_t result, const char* call);

// Both throw CommunicationError. What is only not finished yet is no failure.
void check_nccl(ncclResult_t result, const char* call);
void check_cuda(cudaError_t result, const char* call);

// Makes it the thread's device while it lives. Throws CommunicationError where there is no such device.
class DeviceScope {
 public:
  explicit DeviceScope(torch::Device device);

 private:
  c10::cuda::OptionalCUDAGuard guard_;
};

}  // namespace pipedream::detail

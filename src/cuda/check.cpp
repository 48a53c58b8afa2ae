#include "cuda/check.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <string_view>

#include "pipedream/error.h"

namespace pipedream::detail {

namespace {

// What LibTorch adds are hints for Python programs.
std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

std::string nccl_text(ncclResult_t result, const char* call) {
  const char* const last = ncclGetLastError(nullptr);
  std::string text = fmt::format("{}: {}", call, ncclGetErrorString(result));
  if (last != nullptr && !std::string_view(last).empty()) text += fmt::format(" (NCCL's last words: {})", last);
  return text;
}

void check_nccl(ncclResult_t result, const char* call) {
  if (result == ncclSuccess || result == ncclInProgress) return;
  throw CommunicationError(nccl_text(result, call));
}

void check_cuda(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  // Else LibTorch's next call would find this error and take it for its own.
  cudaGetLastError();
  throw CommunicationError(fmt::format("{}: {} ({})", call, cudaGetErrorString(result), cudaGetErrorName(result)));
}

DeviceScope::DeviceScope(torch::Device device) {
  try {
    guard_.set_device(device);
  } catch (const c10::Error& error) {
    throw CommunicationError(fmt::format("device {}: {}", device.str(), first_line(error.what_without_backtrace())));
  }
}

}  // namespace pipedream::detail

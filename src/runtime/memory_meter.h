// Counts the bytes that LibTorch allocates on this thread, through its memory reporting.
//
// From construction on, for one type of device; what was allocated before does not count, nor its end. Backward passes
// on the CPU run on the calling thread and count too; helper threads of an operator do not, nor what kernels take from
// elsewhere (oneDNN's scratch memory). One thread; meters nest like scopes and only the innermost counts.
#pragma once

#include <c10/core/Device.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <memory>

namespace pipedream::detail {

class MemoryMeter {
 public:
  explicit MemoryMeter(c10::DeviceType device);
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  std::int64_t live_bytes() const;
  // The greatest live_bytes() since construction or reset_peak().
  std::int64_t peak_bytes() const;
  void reset_peak();
  // Whether this allocation was made since construction and still lives.
  bool is_live(const void* allocation) const;

 private:
  class Reporter;
  std::shared_ptr<Reporter> reporter_;
  c10::DebugInfoGuard guard_;
};

}  // namespace pipedream::detail

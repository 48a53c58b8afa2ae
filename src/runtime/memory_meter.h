// Counts the bytes that LibTorch allocates for this thread, through its memory reporting.
//
// From construction on, on one device; what was allocated before does not count, nor its end. Backward passes on the
// CPU run on the calling thread and count too, those on a device's own thread because LibTorch takes the reporting
// there; helper threads of an operator do not, nor what kernels take from elsewhere (oneDNN's scratch memory). An
// allocation counts with the size that the allocator gave: a device's caching allocator rounds up, and reports memory
// as free when it is given back, also where the cache keeps it. One thread; meters nest like scopes and only the
// innermost counts.
#pragma once

#include <c10/core/Device.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <memory>

namespace pipedream::detail {

class MemoryMeter {
 public:
  explicit MemoryMeter(c10::Device device);
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  std::int64_t live_bytes() const;
  // The greatest live_bytes() since construction or reset_peak().
  std::int64_t peak_bytes() const;
  void reset_peak();
  // Of an allocation that was made since construction and still lives; of another 0.
  std::int64_t bytes_of(const void* allocation) const;

 private:
  class Reporter;
  std::shared_ptr<Reporter> reporter_;
  c10::DebugInfoGuard guard_;
};

}  // namespace pipedream::detail

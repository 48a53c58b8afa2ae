// Counts the bytes that LibTorch allocates for a worker, through its memory reporting.
//
// Counted is what threads allocate on one device while they have a scope of the meter, as long as it lives; what was
// allocated before does not count. Memory that is freed under the scope of another meter is known there too, so that
// workers that are threads may free each other's messages; what is freed where nobody reports is noticed when the
// address comes back. Freed under a scope, memory must have been allocated under one, or LibTorch warns. Backward
// passes on the CPU run on the calling thread and count too, those on a device's own thread because LibTorch takes the
// reporting there; helper threads of an operator do not, nor what kernels take from elsewhere (oneDNN's scratch
// memory). An allocation counts with the size that the allocator gave: a device's caching allocator rounds up, and
// reports memory as free when it is given back, also where the cache keeps it.
#pragma once

#include <c10/core/Device.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>

namespace pipedream::detail {

class MemoryMeter {
  class Reporter;

 public:
  // While it lives, this thread reports to the meter. Scopes nest, and only the innermost counts.
  class Scope {
   public:
    explicit Scope(const MemoryMeter& meter);

   private:
    c10::DebugInfoGuard guard_;
  };

  explicit MemoryMeter(c10::Device device);
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  std::int64_t live_bytes() const;
  // The greatest live_bytes() since construction or reset_peak().
  std::int64_t peak_bytes() const;
  void reset_peak();
  // Of an allocation that counts here; of another 0.
  std::int64_t bytes_of(const void* allocation) const;
  // Memory that counts with another meter counts here from now on.
  void adopt(const torch::Tensor& tensor);

 private:
  std::shared_ptr<Reporter> reporter_;
};

}  // namespace pipedream::detail

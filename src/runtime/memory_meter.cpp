#include "runtime/memory_meter.h"

#include <c10/core/Allocator.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace pipedream::detail {

class MemoryMeter::Reporter : public c10::MemoryReportingInfoBase {
 public:
  explicit Reporter(c10::Device device) : device_(device) {}

  // A release is an allocation of a negative size. One made where nobody reports is noticed when the address comes
  // back.
  void reportMemoryUsage(void* allocation, std::int64_t size, std::size_t, std::size_t, c10::Device device) override {
    if (device.type() != device_.type() || (!device.is_cpu() && device.index() != device_.index())) return;
    if (size > 0) {
      live_ += size - std::exchange(sizes_[allocation], size);
      peak_ = std::max(peak_, live_);
    } else if (const auto found = sizes_.find(allocation); found != sizes_.end()) {
      live_ -= found->second;
      sizes_.erase(found);
    }
  }
  void reportOutOfMemory(std::int64_t, std::size_t, std::size_t, c10::Device) override {}
  bool memoryProfilingEnabled() const override { return true; }

  c10::Device device_;
  std::unordered_map<const void*, std::int64_t> sizes_;
  std::int64_t live_ = 0;
  std::int64_t peak_ = 0;
};

MemoryMeter::MemoryMeter(c10::Device device)
    : reporter_(std::make_shared<Reporter>(device)), guard_(c10::DebugInfoKind::PROFILER_STATE, reporter_) {}

MemoryMeter::~MemoryMeter() = default;

std::int64_t MemoryMeter::live_bytes() const { return reporter_->live_; }
std::int64_t MemoryMeter::peak_bytes() const { return reporter_->peak_; }
void MemoryMeter::reset_peak() { reporter_->peak_ = reporter_->live_; }

std::int64_t MemoryMeter::bytes_of(const void* allocation) const {
  const auto found = reporter_->sizes_.find(allocation);
  return found == reporter_->sizes_.end() ? 0 : found->second;
}

}  // namespace pipedream::detail

#include "runtime/memory_meter.h"

#include <c10/core/Allocator.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

namespace pipedream::detail {

struct MemoryCount {
  std::int64_t live = 0;
  std::int64_t peak = 0;
};

namespace {

// Which allocation counts where. One for the process, whose threads share its memory; empty while nobody measures.
class Allocations {
 public:
  static Allocations& of_process() {
    static auto* const allocations = new Allocations;  // memory is also freed when statics are gone
    return *allocations;
  }

  void add(const void* allocation, std::int64_t bytes, MemoryCount& count) {
    const std::lock_guard lock(mutex_);
    take_away(allocation);
    known_[allocation] = {&count, bytes};
    count.live += bytes;
    count.peak = std::max(count.peak, count.live);
  }
  void remove(const void* allocation) {
    const std::lock_guard lock(mutex_);
    take_away(allocation);
  }
  void move(const void* allocation, MemoryCount& count) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(allocation);
    if (found == known_.end()) return;
    found->second.count->live -= found->second.bytes;
    found->second.count = &count;
    count.live += found->second.bytes;
    count.peak = std::max(count.peak, count.live);
  }
  void forget(const MemoryCount& count) {
    const std::lock_guard lock(mutex_);
    std::erase_if(known_, [&](const auto& entry) { return entry.second.count == &count; });
  }
  std::int64_t bytes_of(const void* allocation, const MemoryCount& count) const {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(allocation);
    return found == known_.end() || found->second.count != &count ? 0 : found->second.bytes;
  }
  MemoryCount read(const MemoryCount& count) const {
    const std::lock_guard lock(mutex_);
    return count;
  }
  void reset_peak(MemoryCount& count) {
    const std::lock_guard lock(mutex_);
    count.peak = count.live;
  }

 private:
  struct Entry {
    MemoryCount* count;
    std::int64_t bytes;
  };

  void take_away(const void* allocation) {
    const auto found = known_.find(allocation);
    if (found == known_.end()) return;
    found->second.count->live -= found->second.bytes;
    known_.erase(found);
  }

  mutable std::mutex mutex_;
  std::unordered_map<const void*, Entry> known_;
};

}  // namespace

class MemoryMeter::Reporter : public c10::MemoryReportingInfoBase {
 public:
  explicit Reporter(c10::Device device) : device_(device) {}
  ~Reporter() override { Allocations::of_process().forget(count); }

  // A release is an allocation of a negative size.
  void reportMemoryUsage(void* allocation, std::int64_t size, std::size_t, std::size_t, c10::Device device) override {
    if (device.type() != device_.type() || (!device.is_cpu() && device.index() != device_.index())) return;
    if (size > 0) {
      Allocations::of_process().add(allocation, size, count);
    } else {
      Allocations::of_process().remove(allocation);
    }
  }
  void reportOutOfMemory(std::int64_t, std::size_t, std::size_t, c10::Device) override {}
  bool memoryProfilingEnabled() const override { return true; }

  MemoryCount count;

 private:
  c10::Device device_;
};

MemoryMeter::Scope::Scope(const MemoryMeter& meter) : guard_(c10::DebugInfoKind::PROFILER_STATE, meter.reporter_) {}

MemoryMeter::MemoryMeter(c10::Device device) : reporter_(std::make_shared<Reporter>(device)) {}
MemoryMeter::~MemoryMeter() = default;

std::int64_t MemoryMeter::live_bytes() const { return Allocations::of_process().read(reporter_->count).live; }
std::int64_t MemoryMeter::peak_bytes() const { return Allocations::of_process().read(reporter_->count).peak; }
void MemoryMeter::reset_peak() { Allocations::of_process().reset_peak(reporter_->count); }

std::int64_t MemoryMeter::bytes_of(const void* allocation) const {
  return Allocations::of_process().bytes_of(allocation, reporter_->count);
}

void MemoryMeter::adopt(const torch::Tensor& tensor) {
  Allocations::of_process().move(tensor.storage().data(), reporter_->count);
}

}  // namespace pipedream::detail

#include "transport/mpi/buffer_pool.h"

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <utility>

namespace pipedream::detail {

namespace {

// The C library itself keeps what is smaller.
constexpr std::int64_t kSmallestKept = 1 << 16;

c10::DataPtr fresh(std::int64_t bytes) { return c10::GetCPUAllocator()->allocate(static_cast<std::size_t>(bytes)); }

}  // namespace

c10::DataPtr BufferPool::allocate(std::int64_t bytes) {
  if (bytes < kSmallestKept) return fresh(bytes);
  std::unique_ptr<Buffer> buffer = take(bytes);
  if (!buffer) {
    buffer = std::make_unique<Buffer>();
    buffer->memory = fresh(bytes);
    buffer->bytes = bytes;
  }
  buffer->pool = shared_from_this();
  void* const data = buffer->memory.get();
  return {data, buffer.release(), &give_back, c10::Device(c10::DeviceType::CPU)};
}

// One that is large enough and not wastefully so. When sizes have changed, one that does not fit makes room for the one
// that will be made.
std::unique_ptr<BufferPool::Buffer> BufferPool::take(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return nullptr;
  auto found = std::find_if(free_.rbegin(), free_.rend(), [bytes](const auto& buffer) {
    return buffer->bytes >= bytes && buffer->bytes / 2 <= bytes;
  });
  const bool fits = found != free_.rend();
  if (fits) std::swap(*found, free_.back());
  std::unique_ptr<Buffer> buffer = std::move(free_.back());
  free_.pop_back();
  return fits ? std::move(buffer) : nullptr;
}

void BufferPool::give_back(void* context) {
  std::unique_ptr<Buffer> buffer(static_cast<Buffer*>(context));
  const std::shared_ptr<BufferPool> pool = std::move(buffer->pool);
  const std::lock_guard lock(pool->mutex_);
  if (!pool->closed_) pool->free_.push_back(std::move(buffer));
}

void BufferPool::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  free_.clear();
}

}  // namespace pipedream::detail

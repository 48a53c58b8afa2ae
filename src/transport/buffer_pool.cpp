#include "transport/buffer_pool.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pipedream::detail {

namespace {

// The C library itself keeps what is smaller.
constexpr std::int64_t kSmallestKept = 1 << 16;

}  // namespace

c10::DataPtr BufferPool::fresh(std::int64_t bytes) const {
  return c10::GetAllocator(device_.type())->allocate(static_cast<std::size_t>(bytes));
}

c10::DataPtr BufferPool::allocate(std::int64_t bytes) {
  if (device_.is_cpu() && bytes < kSmallestKept) return fresh(bytes);
  std::unique_ptr<Buffer> buffer = take(bytes);
  if (!buffer) {
    buffer = std::make_unique<Buffer>();
    buffer->memory = fresh(bytes);
    buffer->bytes = bytes;
  }
  std::exchange(buffer->used, {}).precede_work_of(device_);
  buffer->pool = shared_from_this();
  void* const data = buffer->memory.get();
  const c10::Device where = buffer->memory.device();
  return {data, buffer.release(), &give_back, where};
}

// One that is large enough and not wastefully so: on the CPU the latest, which the caches may still hold; on a device
// the one that the device is done with first. When sizes have changed, one that does not fit makes room for the one
// that will be made.
std::unique_ptr<BufferPool::Buffer> BufferPool::take(std::int64_t bytes) {
  const auto fits = [bytes](const auto& buffer) { return buffer->bytes >= bytes && buffer->bytes / 2 <= bytes; };
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return nullptr;
  auto found = free_.end();
  if (device_.is_cpu()) {
    const auto last = std::find_if(free_.rbegin(), free_.rend(), fits);
    if (last != free_.rend()) found = std::prev(last.base());
  } else {
    found = std::find_if(free_.begin(), free_.end(), fits);
  }
  const bool any = found != free_.end();
  const auto taken = any ? found : free_.begin();
  std::unique_ptr<Buffer> buffer = std::move(*taken);
  free_.erase(taken);
  return any ? std::move(buffer) : nullptr;
}

void BufferPool::give_back(void* context) {
  std::unique_ptr<Buffer> buffer(static_cast<Buffer*>(context));
  const std::shared_ptr<BufferPool> pool = std::move(buffer->pool);
  const std::lock_guard lock(pool->mutex_);
  if (pool->user_) {
    buffer->used = StreamMark(*pool->user_);
    keep_for_stream(buffer->memory, *pool->user_);  // whenever it is freed
  }
  if (!pool->closed_) pool->free_.push_back(std::move(buffer));
}

void BufferPool::set_user(const c10::Stream& stream) {
  const std::lock_guard lock(mutex_);
  user_ = stream;
}

void BufferPool::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  free_.clear();
}

}  // namespace pipedream::detail

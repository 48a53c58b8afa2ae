#include "transport/buffer_pool.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <set>
#include <thread>

namespace pipedream::detail {
namespace {

constexpr std::int64_t kSize = 1 << 20;

bool aligned(const c10::DataPtr& data) { return reinterpret_cast<std::uintptr_t>(data.get()) % 64 == 0; }

TEST_CASE("a buffer that was given back is used again, for the same size or one a little smaller") {
  const auto pool = std::make_shared<BufferPool>();
  c10::DataPtr first = pool->allocate(kSize);
  const void* const place = first.get();
  CHECK(aligned(first));
  first.clear();
  c10::DataPtr second = pool->allocate(kSize);
  CHECK(second.get() == place);
  second.clear();
  CHECK(pool->allocate(kSize * 3 / 4).get() == place);
}

TEST_CASE("a buffer in use, too small or much too large is not used") {
  const auto pool = std::make_shared<BufferPool>();
  const c10::DataPtr used = pool->allocate(kSize);
  c10::DataPtr other = pool->allocate(kSize);
  CHECK(used.get() != other.get());
  other.clear();
  // The one that does not fit goes back to the system: what is free is never more than what was in use.
  const c10::DataPtr larger = pool->allocate(2 * kSize);
  const c10::DataPtr small = pool->allocate(kSize / 4);
  std::set<const void*> places = {used.get(), larger.get(), small.get()};
  CHECK(places.size() == 3);
  CHECK(pool->allocate(100).get() != nullptr);
}

TEST_CASE("buffers may be given back by other threads, and after the pool was closed and left") {
  auto pool = std::make_shared<BufferPool>();
  c10::DataPtr elsewhere = pool->allocate(kSize);
  const void* const place = elsewhere.get();
  std::thread([data = std::move(elsewhere)]() mutable { data.clear(); }).join();
  c10::DataPtr again = pool->allocate(kSize);
  CHECK(again.get() == place);
  pool->close();
  const std::weak_ptr<BufferPool> rest = pool;
  pool.reset();
  CHECK_FALSE(rest.expired());
  again.clear();
  CHECK(rest.expired());
}

}  // namespace
}  // namespace pipedream::detail

// Memory for received payloads, used again: fresh memory of this size comes from the system page by page, which costs
// more than the transfer.
//
// A buffer goes back when the tensor on it is freed, by any thread, also after the pool's owner is gone. The pool holds
// no more than were in use at one time.
#pragma once

#include <c10/core/Allocator.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace pipedream::detail {

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  // Aligned to 64 bytes, and seen by LibTorch's memory reporting, as what LibTorch allocates.
  c10::DataPtr allocate(std::int64_t bytes);

  // Keeps nothing from now on.
  void close();

 private:
  struct Buffer {
    c10::DataPtr memory;
    std::int64_t bytes = 0;
    std::shared_ptr<BufferPool> pool;  // while it is in use
  };
  static void give_back(void* buffer);
  std::unique_ptr<Buffer> take(std::int64_t bytes);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Buffer>> free_;
  bool closed_ = false;
};

}  // namespace pipedream::detail

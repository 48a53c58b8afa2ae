// Memory for received payloads, used again: fresh memory of this size comes from the system page by page, which costs
// more than the transfer.
//
// A buffer goes back when the tensor on it is freed, by any thread, also after the pool's owner is gone. The pool holds
// no more than were in use at one time. Of a device, a buffer is given out again at once, for work that comes after
// what used it.
#pragma once

#include <c10/core/Allocator.h>
#include <torch/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "transport/stream_mark.h"

namespace pipedream::detail {

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  explicit BufferPool(torch::Device device = torch::kCPU) : device_(device) {}

  // Aligned to 64 bytes, and seen by LibTorch's memory reporting, as what LibTorch allocates. Of a device: for this
  // thread's current stream.
  c10::DataPtr allocate(std::int64_t bytes);

  // The stream whose work uses the buffers of a device: a buffer that goes back is in use until then.
  void set_user(const c10::Stream& stream);

  // Keeps nothing from now on.
  void close();

 private:
  struct Buffer {
    c10::DataPtr memory;
    std::int64_t bytes = 0;
    StreamMark used;                   // until here
    std::shared_ptr<BufferPool> pool;  // while it is in use
  };
  static void give_back(void* buffer);
  c10::DataPtr fresh(std::int64_t bytes) const;
  std::unique_ptr<Buffer> take(std::int64_t bytes);

  const torch::Device device_;
  std::mutex mutex_;
  std::deque<std::unique_ptr<Buffer>> free_;  // in the order in which they went back
  std::optional<c10::Stream> user_;
  bool closed_ = false;
};

}  // namespace pipedream::detail

// Order between streams: work of a device is queued by the calling thread and done later, in the order of its stream.
//
// On the CPU work is done when the call returns, and all of this does nothing. Nothing here waits for a device. No CUDA
// header is needed: c10's device interface is what every backend of LibTorch implements.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <torch/types.h>

#include <memory>

namespace pipedream::detail {

// A point in a stream, for other streams to wait for. Copies name the same point. Safe to use from several threads once
// it is made.
class StreamMark {
 public:
  // None: everything is after it.
  StreamMark() = default;
  // All that this thread's current stream of the device has been given so far.
  explicit StreamMark(torch::Device device);
  // All that the stream has been given so far.
  explicit StreamMark(const c10::Stream& stream);

  // What this thread's current stream of `device` is given from now on comes after the mark.
  void precede_work_of(torch::Device device) const;
  // Whether the device has come to it. Does not wait.
  bool is_reached() const { return !event_ || event_->query(); }
  void synchronize() const {
    if (event_) event_->synchronize();
  }

 private:
  void record(const c10::Stream& stream);

  std::shared_ptr<c10::Event> event_;
};

// The tensor's memory came from another stream: it is not used again, after the tensor is gone, before this thread's
// current stream has done what it has been given by then.
void keep_for_current_stream(const torch::Tensor& tensor);
// The same for memory and any stream.
void keep_for_stream(const c10::DataPtr& memory, const c10::Stream& stream);

}  // namespace pipedream::detail

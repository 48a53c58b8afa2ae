// A worker's device: which one, and the stream that its work goes to. Works for every backend of LibTorch.
#pragma once

#include <c10/core/StreamGuard.h>
#include <torch/types.h>

#include <optional>

#include "pipedream/communicator.h"
#include "transport/stream_mark.h"

namespace pipedream::detail {

// The device that is meant: of "cuda" without a number, the one with the worker's number among those of its machine,
// counted round. ConfigError for one that is not there, or of a backend that the program is not linked with.
torch::Device resolve_device(torch::Device wanted, const Communicator& comm);

// A stream of the device for one worker or thread of its own; none on the CPU.
std::optional<c10::Stream> make_stream(torch::Device device);

// While it lives, this thread works on that stream and its device. What the stream is given comes after what the stream
// before it had been given, and the other way round afterwards.
class StreamScope {
 public:
  explicit StreamScope(const std::optional<c10::Stream>& stream);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  std::optional<c10::Stream> stream_;
  std::optional<c10::StreamGuard> guard_;
};

}  // namespace pipedream::detail

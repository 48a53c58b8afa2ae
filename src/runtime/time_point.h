// When a worker's work came to a place in it, to microseconds.
//
// On the CPU work is done when the call returns, and the host's clock says it. A device does its work later: there it
// is an event in the stream, which the device stamps when it has done what the stream was given before. Where the
// device has run out of work, the time that the host takes to give it more is in between two points, as it is in a run.
#pragma once

#include <c10/core/Event.h>
#include <torch/types.h>

#include <chrono>
#include <optional>

namespace pipedream::detail {

class TimePoint {
 public:
  // In this thread's current stream of the device. Does not wait.
  static TimePoint now(torch::Device device);

  // Waits until the device has come to it, and so to all earlier points of its stream.
  void synchronize() const;
  // Of points in one stream that the device has come to; negative where this one is the earlier.
  double microseconds_since(const TimePoint& other) const;

 private:
  TimePoint() = default;

  std::chrono::steady_clock::time_point host_;
  std::optional<c10::Event> event_;  // none on the CPU
};

}  // namespace pipedream::detail

#include "runtime/time_point.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace pipedream::detail {

TimePoint TimePoint::now(torch::Device device) {
  TimePoint point;
  if (device.is_cpu()) {
    point.host_ = std::chrono::steady_clock::now();
    return point;
  }
  point.event_.emplace(device.type(), c10::EventFlag::BACKEND_DEFAULT);  // the flag of events with a time
  point.event_->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  return point;
}

void TimePoint::synchronize() const {
  if (event_) event_->synchronize();
}

double TimePoint::microseconds_since(const TimePoint& other) const {
  if (event_) return other.event_->elapsedTime(*event_) * 1e3;
  return std::chrono::duration<double, std::micro>(host_ - other.host_).count();
}

}  // namespace pipedream::detail

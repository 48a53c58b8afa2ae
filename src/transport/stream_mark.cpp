#include "transport/stream_mark.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace pipedream::detail {

namespace {

// Of tensors without data too, nothing is ever on its way.
bool has_streams(torch::Device device) { return !device.is_cpu() && !device.is_meta(); }

}  // namespace

StreamMark::StreamMark(torch::Device device) {
  if (has_streams(device)) record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

StreamMark::StreamMark(const c10::Stream& stream) { record(stream); }

void StreamMark::record(const c10::Stream& stream) {
  event_ = std::make_shared<c10::Event>(stream.device_type());
  event_->record(stream);
}

void StreamMark::precede_work_of(torch::Device device) const {
  if (!event_) return;
  event_->block(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

void keep_for_current_stream(const torch::Tensor& tensor) {
  const torch::Device device = tensor.device();
  if (!has_streams(device)) return;
  keep_for_stream(tensor.storage().data_ptr(), c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

void keep_for_stream(const c10::DataPtr& memory, const c10::Stream& stream) {
  c10::impl::VirtualGuardImpl(stream.device_type()).recordDataPtrOnStream(memory, stream);
}

}  // namespace pipedream::detail

#include "transport/stream_mark.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace pipedream::detail {

StreamMark::StreamMark(torch::Device device) {
  if (device.is_cpu()) return;
  event_ = std::make_shared<c10::Event>(device.type());
  event_->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

void StreamMark::precede_work_of(torch::Device device) const {
  if (!event_) return;
  event_->block(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

void keep_for_current_stream(const torch::Tensor& tensor) {
  const torch::Device device = tensor.device();
  if (device.is_cpu()) return;
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.recordDataPtrOnStream(tensor.storage().data_ptr(), guard.getStream(device));
}

}  // namespace pipedream::detail

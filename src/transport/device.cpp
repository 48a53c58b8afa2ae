#include "transport/device.h"

#include <ATen/DeviceAccelerator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include "pipedream/error.h"

namespace pipedream::detail {

torch::Device resolve_device(torch::Device wanted, const Communicator& comm) {
  if (wanted.is_cpu()) return wanted;
  const std::string type = c10::DeviceTypeName(wanted.type(), /*lower_case=*/true);
  if (!at::isAccelerator(wanted.type())) {
    throw ConfigError(fmt::format("device {}: workers compute on the CPU or on an accelerator", wanted.str()));
  }
  if (!c10::impl::hasDeviceGuardImpl(wanted.type())) {
    throw ConfigError(
        fmt::format("device {}: this program is not linked with LibTorch's support for {}", wanted.str(), type));
  }
  const int count = c10::impl::VirtualGuardImpl(wanted.type()).deviceCount();
  if (count == 0) throw ConfigError(fmt::format("device {}: no {} device was found", wanted.str(), type));
  const int index = wanted.has_index() ? wanted.index() : comm.local_rank() % count;
  if (index >= count) {
    throw ConfigError(fmt::format("device {}: there are {} {} device(s), numbered from 0", wanted.str(), count, type));
  }
  return {wanted.type(), static_cast<c10::DeviceIndex>(index)};
}

std::optional<c10::Stream> make_stream(torch::Device device) {
  if (device.is_cpu()) return std::nullopt;
  return c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device, /*isHighPriority=*/false);
}

StreamScope::StreamScope(const std::optional<c10::Stream>& stream) : stream_(stream) {
  if (!stream_) return;
  const StreamMark before(stream_->device());
  guard_.emplace(*stream_);
  before.precede_work_of(stream_->device());
}

StreamScope::~StreamScope() {
  if (!stream_) return;
  const StreamMark mark(stream_->device());
  guard_.reset();
  mark.precede_work_of(stream_->device());
}

}  // namespace pipedream::detail

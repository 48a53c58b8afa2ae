#include "transport/nccl/communicator.h"

#include <c10/core/DeviceType.h>
#include <fmt/format.h>

#include <utility>

#include "pipedream/error.h"
#include "pipedream/nccl_communicator.h"
#include "transport/agreement.h"
#include "transport/device.h"
#include "transport/nccl/channel.h"
#include "transport/nccl/engine.h"
#include "transport/nccl/reduce.h"

namespace pipedream {

namespace detail {

namespace {

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(HostCommunicator& host, torch::Device device, NcclCalls& calls)
      : host_(host), engine_(host, device, calls) {}

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  int local_size() const override { return host_.local_size(); }
  int local_rank() const override { return host_.local_rank(); }

  std::unique_ptr<SendChannel> open_send(int peer, int id, ChannelOptions options) override {
    if (options.device.is_cpu()) return host_.open_send(peer, id, options);
    check_channel(rank(), peer, id, size(), options);
    return std::make_unique<NcclSendChannel>(engine_, peer, id, options);
  }
  std::unique_ptr<ReceiveChannel> open_receive(int peer, int id, ChannelOptions options) override {
    if (options.device.is_cpu()) return host_.open_receive(peer, id, options);
    check_channel(peer, rank(), id, size(), options);
    return std::make_unique<NcclReceiveChannel>(engine_, peer, id, options);
  }
  std::unique_ptr<ReduceGroup> open_reduce(std::vector<int> members, int id, torch::Device device) override {
    if (device.is_cpu()) return host_.open_reduce(std::move(members), id);
    const int place = check_members(members, id, rank(), size());
    return std::make_unique<NcclReduceGroup>(engine_, std::move(members), place, id);
  }
  void connect() override { engine_.connect(); }
  std::vector<std::string> all_gather(std::string_view bytes) override { return host_.all_gather(bytes); }

  void progress() override { engine_.progress(); }
  void note_progress() override { host_.note_progress(); }
  void set_status(std::function<std::string()> status) override { host_.set_status(std::move(status)); }
  void set_deadline(std::chrono::milliseconds deadline) override {
    host_.set_deadline(deadline);
    engine_.watch.set_deadline(deadline);
  }
  void abort(const std::string& cause) noexcept override {
    host_.abort(cause);
    engine_.watch.abort(cause);
  }

 private:
  HostCommunicator& host_;
  NcclEngine engine_;
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(Communicator& host, torch::Device device, NcclCalls* calls) {
  auto* const base = dynamic_cast<HostCommunicator*>(&host);
  agree(host, [&]() -> Facts {
    if (calls == nullptr) throw ConfigError("this program is not linked with pipedream::cuda, which has NCCL");
    if (base == nullptr) throw ConfigError("make_nccl_communicator: needs a communicator of the host");
    device = resolve_device(device, host);
    return {{"device type", c10::DeviceTypeName(device.type(), /*lower_case=*/true)},
            {"NCCL version", calls->version()}};
  });
  return std::make_unique<NcclCommunicator>(*base, device, *calls);
}

}  // namespace detail

std::unique_ptr<Communicator> make_nccl_communicator(Communicator& host, torch::Device device) {
  return detail::make_nccl_communicator(host, device, detail::linked_nccl_calls());
}

}  // namespace pipedream

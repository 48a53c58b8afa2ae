#include "simulated/nccl.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "simulated/memory.h"
#include "simulated/nccl_batch.h"
#include "simulated/state.h"

namespace pipedream::testing {

namespace {

struct Shared {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<NcclCommon>> by_id;
  std::string failure;
  int ids = 0;
};

Shared& shared() {
  static auto* instance = new Shared;
  return *instance;
}

class SimulatedConnection final : public detail::NcclConnection {
 public:
  SimulatedConnection(SimulatedNccl& nccl, std::shared_ptr<NcclCommon> common, int rank)
      : nccl_(nccl), common_(std::move(common)), rank_(rank) {}
  ~SimulatedConnection() override { SimulatedConnection::abort(); }

  void send(const torch::Tensor& tensor, int peer, const c10::Stream& stream) override {
    add(NcclPart::Kind::send, tensor, peer, stream);
  }
  void receive(const torch::Tensor& tensor, int peer, const c10::Stream& stream) override {
    add(NcclPart::Kind::receive, tensor, peer, stream);
  }
  void sum(const torch::Tensor& tensor, const c10::Stream& stream) override {
    add(NcclPart::Kind::sum, tensor, -1, stream);
  }
  std::optional<std::string> failure() override {
    const std::lock_guard lock(shared().mutex);
    return shared().failure.empty() ? std::nullopt : std::optional(shared().failure);
  }
  void abort() noexcept override {
    SimulatedState::instance().queues.update([this] { common_->aborted[static_cast<std::size_t>(rank_)] = true; });
  }

 private:
  void add(NcclPart::Kind kind, const at::Tensor& tensor, int peer, const c10::Stream& stream) {
    NcclBatch& batch = nccl_.open_batch();
    batch.common = common_;
    batch.rank = rank_;
    batch.stream = stream;
    const std::int64_t begin = tensor.storage_offset() * static_cast<std::int64_t>(tensor.element_size());
    const Span span{memory_of(tensor), begin, begin + static_cast<std::int64_t>(tensor.nbytes())};
    SimulatedState::instance().clocks.will_use(span.memory, fmt::format("NCCL's {}", name(kind)));
    batch.parts.push_back({kind, tensor.mutable_data_ptr(), tensor.scalar_type(), tensor.numel(), span, peer});
    nccl_.close_batch();
  }

  SimulatedNccl& nccl_;
  std::shared_ptr<NcclCommon> common_;
  const int rank_;
};

std::shared_ptr<NcclCommon> join(const detail::NcclMembership& membership) {
  const std::lock_guard lock(shared().mutex);
  std::shared_ptr<NcclCommon>& common = shared().by_id[membership.id];
  if (!common) common = std::make_shared<NcclCommon>(membership.size);
  ++common->joined;
  return common;
}

}  // namespace

SimulatedNccl::SimulatedNccl(SimulatedNcclOptions options) : options_(std::move(options)) {}
SimulatedNccl::~SimulatedNccl() {
  for (const c10::Stream& stream : streams_) SimulatedState::instance().queues.give_back(stream);
}

std::string SimulatedNccl::make_id() {
  const std::lock_guard lock(shared().mutex);
  return fmt::format("communicator {}", shared().ids++);
}

std::vector<std::unique_ptr<detail::NcclConnection>> SimulatedNccl::connect(
    torch::Device, const std::vector<detail::NcclMembership>& memberships, const std::function<void()>& check) {
  std::vector<std::shared_ptr<NcclCommon>> commons;
  for (const detail::NcclMembership& membership : memberships) commons.push_back(join(membership));
  std::vector<std::unique_ptr<detail::NcclConnection>> connections;
  for (std::size_t i = 0; i < memberships.size(); ++i) {
    const auto complete = [&] {
      const std::lock_guard lock(shared().mutex);
      return commons[i]->joined == memberships[i].size;
    };
    while (!complete()) {
      check();
      std::this_thread::yield();
    }
    connections.push_back(std::make_unique<SimulatedConnection>(*this, commons[i], memberships[i].rank));
  }
  return connections;
}

c10::Stream SimulatedNccl::make_stream(torch::Device device) {
  if (!options_.one_stream || streams_.empty()) {
    streams_.push_back(SimulatedState::instance().queues.make_stream(device.index()));
  }
  return streams_.back();
}

void SimulatedNccl::start_group() { in_group_ = true; }

void SimulatedNccl::end_group() {
  in_group_ = false;
  close_batch();
}

NcclBatch& SimulatedNccl::open_batch() {
  if (!batch_) batch_ = std::make_unique<NcclBatch>();
  return *batch_;
}

void SimulatedNccl::close_batch() {
  if (in_group_ || !batch_) return;
  const c10::Stream stream = *batch_->stream;
  SimulatedState::instance().queues.push(stream, queued(std::move(batch_)));
}

void fail_simulated_nccl(const std::string& text) {
  const std::lock_guard lock(shared().mutex);
  shared().failure = text;
}

}  // namespace pipedream::testing

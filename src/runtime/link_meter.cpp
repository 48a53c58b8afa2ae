// measure_topology: the links between neighbours, as the run uses them.
//
// The clock is the host's. A wait for a transfer of a device may return before the device has come to it, so the clock
// is read when the device has done all that it was given; a train has one such stop at its end.
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>

#include "pipedream/profiler.h"
#include "runtime/device_facts.h"
#include "runtime/profiler_time.h"
#include "transport/agreement.h"
#include "transport/device.h"

namespace pipedream {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPingChannel = kLinkMeterIds;
constexpr int kBulkChannel = kLinkMeterIds + 1;
constexpr int kReduceGroup = kLinkMeterIds;
constexpr std::int64_t kBulkFloats = 1 << 20;
constexpr double kBulkBytes = 4.0 * kBulkFloats;
constexpr int kPings = 50;
constexpr int kTrains = 5;
constexpr double kTrainSeconds = 0.02;  // long against the skew of a common start

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The same on all workers: the slowest decides what a pipeline can count on.
double greatest(Communicator& comm, double mine) {
  double most = mine;
  for (const std::string& bytes : comm.all_gather({reinterpret_cast<const char*>(&mine), sizeof mine})) {
    double other = 0;
    std::memcpy(&other, bytes.data(), sizeof other);
    most = std::max(most, other);
  }
  return most;
}

class LinkMeter {
 public:
  LinkMeter(Communicator& comm, torch::Device device) : comm_(comm), device_(device) {}

  // Half a round trip of 4 bytes with a neighbour; every second pair at a time, so that no worker serves two.
  double latency_seconds() {
    double slowest = 0;
    for (int phase = 0; phase < 2; ++phase) {
      const bool first = comm_.rank() % 2 == phase;
      const int peer = first ? comm_.rank() + 1 : comm_.rank() - 1;
      const bool takes_part = peer >= 0 && peer < comm_.size();
      const Ends ends = takes_part ? open_ends(peer, peer, kPingChannel) : Ends();
      comm_.connect();
      comm_.barrier();
      if (takes_part && first) slowest = std::max(slowest, ping_seconds(ends));
      if (takes_part && !first) answer_pings(ends);
    }
    return greatest(comm_, slowest);
  }

  double bandwidth(double latency) {
    const int next = (comm_.rank() + 1) % comm_.size();
    const int previous = (comm_.rank() + comm_.size() - 1) % comm_.size();
    const Ends ends = open_ends(next, previous, kBulkChannel);
    comm_.connect();
    const Message bulk = message(kBulkFloats);
    const double seconds = transfer_seconds([&] {
      ends.in->post();
      ends.out->post(bulk);
      receive(*ends.in);
      ends.out->wait();
    });
    // Of a transfer that takes hardly longer than a ping, no more than half is taken for latency.
    return kBulkBytes / std::max(seconds - latency, seconds / 2);
  }

  double allreduce_rate() {
    std::vector<int> members(static_cast<std::size_t>(comm_.size()));
    std::iota(members.begin(), members.end(), 0);
    const auto group = comm_.open_reduce(members, kReduceGroup, device_);
    comm_.connect();
    const torch::Tensor buffer = message(kBulkFloats).tensors.front();
    const double seconds = transfer_seconds([&] {
      group->post(buffer, 0, std::vector<bool>(members.size(), true));
      group->wait();
    });
    return 2.0 * (comm_.size() - 1) / comm_.size() * kBulkBytes / seconds;
  }

 private:
  // This end of a channel to a worker and of one from a worker.
  struct Ends {
    std::unique_ptr<SendChannel> out;
    std::unique_ptr<ReceiveChannel> in;
  };

  Ends open_ends(int to, int from, int id) {
    const ChannelOptions options{.tensors = 1, .slots = 1, .device = device_};
    return {comm_.open_send(to, id, options), comm_.open_receive(from, id, options)};
  }

  Message message(std::int64_t floats) const {
    return {{at::zeros({floats}, at::TensorOptions(device_).dtype(torch::kFloat32))}, 0};
  }

  // A message counts as received when it is where a stage needs it.
  Message receive(ReceiveChannel& channel) const {
    Message received = channel.wait();
    for (torch::Tensor& tensor : received.tensors) tensor = tensor.to(device_, /*non_blocking=*/true);
    return received;
  }

  void finish_device() const { detail::StreamMark(device_).synchronize(); }

  double ping_seconds(const Ends& ends) const {
    const Message ping = message(1);
    finish_device();
    std::vector<double> times;
    for (int i = 0; i < kPings; ++i) {
      const auto start = Clock::now();
      ends.in->post();
      ends.out->post(ping);
      receive(*ends.in);
      ends.out->wait();
      finish_device();
      times.push_back(seconds_since(start) / 2);
    }
    return detail::median(std::move(times));
  }

  // With what was received: so the answer leaves no device before the ping has come.
  void answer_pings(const Ends& ends) const {
    for (int i = 0; i < kPings; ++i) {
      ends.in->post();
      ends.out->post(receive(*ends.in));
      ends.out->wait();
    }
  }

  // Seconds for one `transfer`, all workers at once: trains of them, long enough to be timed, the median of trains.
  template <class Transfer>
  double transfer_seconds(Transfer transfer) {
    const double once = greatest(comm_, train_seconds(transfer, 1));
    const int count = static_cast<int>(std::clamp(std::ceil(kTrainSeconds / once), 1.0, 20.0));
    std::vector<double> times;
    for (int train = 0; train < kTrains; ++train) {
      times.push_back(train_seconds(transfer, count) / count);
      comm_.note_progress();
    }
    return greatest(comm_, detail::median(std::move(times)));
  }

  template <class Transfer>
  double train_seconds(Transfer transfer, int count) {
    finish_device();
    comm_.barrier();
    const auto start = Clock::now();
    for (int i = 0; i < count; ++i) transfer();
    finish_device();
    return seconds_since(start);
  }

  Communicator& comm_;
  torch::Device device_;
};

// Of all workers' devices; throws on all where one has none.
torch::Device resolve_together(Communicator& comm, torch::Device wanted) {
  torch::Device device = wanted;
  detail::agree(comm, [&]() -> detail::Facts {
    device = detail::resolve_device(wanted, comm);
    return {{"the type of device", c10::DeviceTypeName(device.type(), /*lower_case=*/true)}};
  });
  return device;
}

}  // namespace

Topology measure_topology(Communicator& comm, torch::Device device) {
  const torch::Device own = resolve_together(comm, device);
  const detail::StreamScope stream(detail::make_stream(own));
  Topology topology;
  topology.memory_bytes_per_worker = detail::memory_bytes_per_worker(comm, own);
  if (comm.size() == 1) return topology;
  LinkMeter meter(comm, own);
  TopologyLevel level;
  level.name = "worker";
  level.count = comm.size();
  const double latency = meter.latency_seconds();
  level.latency_us = latency * 1e6;
  level.bandwidth_bytes_per_s = meter.bandwidth(latency);
  level.allreduce_bytes_per_s = meter.allreduce_rate();
  topology.levels.push_back(level);
  comm.barrier();
  return topology;
}

}  // namespace pipedream

// measure_topology: the links between neighbours, as the run uses them.
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>

#include "pipedream/profiler.h"
#include "runtime/profiler_time.h"

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

// Half a round trip of 4 bytes with a neighbour; every second pair at a time, so that no worker serves two.
double latency_seconds(Communicator& comm) {
  double slowest = 0;
  for (int phase = 0; phase < 2; ++phase) {
    comm.barrier();
    const bool first = comm.rank() % 2 == phase;
    const int peer = first ? comm.rank() + 1 : comm.rank() - 1;
    if (peer < 0 || peer >= comm.size()) continue;
    const auto out = comm.open_send(peer, kPingChannel, {.tensors = 1, .slots = 1});
    const auto in = comm.open_receive(peer, kPingChannel, {.tensors = 1, .slots = 1});
    const Message ping{{at::zeros({1}, torch::kFloat32)}, 0};
    std::vector<double> times;
    for (int i = 0; i < kPings; ++i) {
      const auto start = Clock::now();
      in->post();
      if (first) out->post(ping);
      in->wait();
      if (!first) out->post(ping);
      out->wait();
      times.push_back(seconds_since(start) / 2);
    }
    if (first) slowest = std::max(slowest, detail::median(std::move(times)));
  }
  return greatest(comm, slowest);
}

// Seconds for one `transfer`, all workers at once: trains of them, long enough to be timed, the median of trains.
template <class Transfer>
double transfer_seconds(Communicator& comm, Transfer transfer) {
  comm.barrier();
  auto start = Clock::now();
  transfer();
  const double once = greatest(comm, seconds_since(start));
  const int count = static_cast<int>(std::clamp(std::ceil(kTrainSeconds / once), 1.0, 20.0));
  std::vector<double> times;
  for (int train = 0; train < kTrains; ++train) {
    comm.barrier();
    start = Clock::now();
    for (int i = 0; i < count; ++i) transfer();
    times.push_back(seconds_since(start) / count);
    comm.note_progress();
  }
  return greatest(comm, detail::median(std::move(times)));
}

double bandwidth(Communicator& comm, double latency) {
  const int next = (comm.rank() + 1) % comm.size();
  const int previous = (comm.rank() + comm.size() - 1) % comm.size();
  const auto out = comm.open_send(next, kBulkChannel, {.tensors = 1, .slots = 1});
  const auto in = comm.open_receive(previous, kBulkChannel, {.tensors = 1, .slots = 1});
  const Message bulk{{at::zeros({kBulkFloats}, torch::kFloat32)}, 0};
  const double seconds = transfer_seconds(comm, [&] {
    in->post();
    out->post(bulk);
    in->wait();
    out->wait();
  });
  // Of a transfer that takes hardly longer than a ping, no more than half is taken for latency.
  return kBulkBytes / std::max(seconds - latency, seconds / 2);
}

double allreduce_rate(Communicator& comm) {
  std::vector<int> members(static_cast<std::size_t>(comm.size()));
  std::iota(members.begin(), members.end(), 0);
  const auto group = comm.open_reduce(members, kReduceGroup);
  const torch::Tensor buffer = at::zeros({kBulkFloats}, torch::kFloat32);
  const double seconds = transfer_seconds(comm, [&] {
    group->post(buffer, 0, std::vector<bool>(members.size(), true));
    group->wait();
  });
  return 2.0 * (comm.size() - 1) / comm.size() * kBulkBytes / seconds;
}

}  // namespace

Topology measure_topology(Communicator& comm) {
  Topology topology;
  if (comm.size() == 1) return topology;
  TopologyLevel level;
  level.name = "worker";
  level.count = comm.size();
  const double latency = latency_seconds(comm);
  level.latency_us = latency * 1e6;
  level.bandwidth_bytes_per_s = bandwidth(comm, latency);
  level.allreduce_bytes_per_s = allreduce_rate(comm);
  topology.levels.push_back(level);
  comm.barrier();
  return topology;
}

}  // namespace pipedream

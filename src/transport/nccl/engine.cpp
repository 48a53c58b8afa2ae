#include "transport/nccl/engine.h"

#include <ATen/ops/empty.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "pipedream/error.h"
#include "transport/agreement.h"
#include "transport/ledger.h"

namespace pipedream::detail {

namespace {

using nlohmann::json;

constexpr std::chrono::microseconds kPause{100};

// An id is any bytes, and JSON takes text.
json to_json_bytes(const std::string& bytes) { return json(std::vector<unsigned char>(bytes.begin(), bytes.end())); }

std::string from_json_bytes(const json& value) {
  const auto bytes = value.get<std::vector<unsigned char>>();
  return {bytes.begin(), bytes.end()};
}

template <class Lanes, class Key>
auto& demand(Lanes& lanes, const Key& key, int from, const std::string& what) {
  const auto found = lanes.find(key);
  if (found == lanes.end()) {
    throw ConfigError(fmt::format("worker {} has opened {}, this one has not", from, what));
  }
  return found->second;
}

}  // namespace

NcclEngine::NcclEngine(HostCommunicator& host_communicator, torch::Device on_device, NcclCalls& calls)
    : host(host_communicator), device(on_device), watch(host_communicator), calls_(calls) {}

NcclEngine::~NcclEngine() = default;

NcclSendLink& NcclEngine::send_link(int peer) {
  return senders_.try_emplace(peer, calls_, watch, device).first->second;
}

NcclReceiveLink& NcclEngine::receive_link(int peer) {
  return receivers_.try_emplace(peer, calls_, watch, device).first->second;
}

NcclLane& NcclEngine::group_lane(const std::vector<int>& members, int id) {
  return groups_.try_emplace({members, id}, calls_, watch, device).first->second;
}

c10::Stream NcclEngine::current_stream() const { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

void NcclEngine::demand_use(const NcclLane& lane, const std::string& name) {
  watch.throw_if_failed();
  if (!lane.connected()) throw ConfigError(name + " is used before Communicator::connect()");
}

void NcclEngine::progress() {
  host.progress();
  watch.throw_if_failed();
  for (auto& [peer, link] : receivers_) link.advance();
}

// The sender of a link and the first member of a group invite the others.
json NcclEngine::invite() {
  json invitations = json::array();
  for (const auto& [peer, link] : senders_) {
    if (!link.lane.connected()) invitations.push_back({{"to", peer}, {"id", to_json_bytes(calls_.make_id())}});
  }
  for (const auto& [name, lane] : groups_) {
    const auto& [members, group] = name;
    if (lane.connected() || members.front() != host.rank()) continue;
    invitations.push_back({{"members", members}, {"group", group}, {"id", to_json_bytes(calls_.make_id())}});
  }
  return invitations;
}

// This worker's part in an invitation by worker `from`, if it has one.
std::optional<NcclEngine::Wanted> NcclEngine::accept(const json& invitation, int from) {
  const std::string id = from_json_bytes(invitation.at("id"));
  if (invitation.contains("to")) {
    const int to = invitation.at("to").get<int>();
    if (from == host.rank()) return Wanted{&senders_.at(to).lane, {id, kSender, 2}, false};
    if (to != host.rank()) return std::nullopt;
    NcclReceiveLink& link = demand(receivers_, from, from, fmt::format("a channel to worker {}", to));
    return Wanted{&link.lane, {id, kReceiver, 2}, false};
  }
  const auto members = invitation.at("members").get<std::vector<int>>();
  const auto place = std::find(members.begin(), members.end(), host.rank());
  if (place == members.end()) return std::nullopt;
  const int group = invitation.at("group").get<int>();
  NcclLane& lane = demand(groups_, GroupName{members, group}, from, group_name(members, group));
  return Wanted{&lane, {id, static_cast<int>(place - members.begin()), static_cast<int>(members.size())}, true};
}

void NcclEngine::demand_invitations(const std::vector<Wanted>& wanted) const {
  const auto is_wanted = [&](const NcclLane& lane) {
    return lane.connected() ||
           std::any_of(wanted.begin(), wanted.end(), [&](const Wanted& w) { return w.lane == &lane; });
  };
  for (const auto& [peer, link] : receivers_) {
    if (is_wanted(link.lane)) continue;
    throw ConfigError(fmt::format("a channel from worker {} is open here, but not there", peer));
  }
  for (const auto& [name, lane] : groups_) {
    if (is_wanted(lane)) continue;
    throw ConfigError(fmt::format("{} is open here, but not at its first member", group_name(name.first, name.second)));
  }
}

void NcclEngine::connect() {
  const std::vector<std::string> texts = host.all_gather(invite().dump());
  std::vector<Wanted> wanted;
  agree(host, [&]() -> Facts {
    for (int from = 0; from < host.size(); ++from) {
      for (const json& invitation : json::parse(texts[static_cast<std::size_t>(from)])) {
        if (auto part = accept(invitation, from)) wanted.push_back(std::move(*part));
      }
    }
    demand_invitations(wanted);
    return {};
  });
  std::vector<NcclMembership> memberships;
  for (const Wanted& part : wanted) memberships.push_back(part.membership);
  auto connections = calls_.connect(device, memberships, [this] { host.progress(); });
  for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i].lane->connect(std::move(connections[i]));
  // In an order that is the same everywhere, since each waits for its peers.
  for (const Wanted& part : wanted) try_out(part);
}

// NCCL does the last of its work at the first use, and may then wait for the whole device: before there is other work.
void NcclEngine::try_out(const Wanted& part) {
  const c10::StreamGuard guard(part.lane->stream());
  const at::Tensor tensor = at::empty({1}, at::device(device).dtype(torch::kFloat32));
  const StreamMark done = part.lane->queue({}, {.what = "the first use of a connection"},
                                           [&](NcclConnection& connection, const c10::Stream& stream) {
                                             if (part.is_group) return connection.sum(tensor, stream);
                                             if (part.membership.rank == kSender)
                                               return connection.send(tensor, kReceiver, stream);
                                             connection.receive(tensor, kSender, stream);
                                           });
  try {
    while (!done.is_reached()) {
      host.progress();
      watch.throw_if_failed();
      std::this_thread::sleep_for(kPause);
    }
  } catch (const std::exception& error) {
    watch.abort(error.what());  // before the tensor goes
    throw;
  }
}

}  // namespace pipedream::detail

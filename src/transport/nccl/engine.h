// What the channels and groups of one NCCL communicator share: the host's communicator, their connections, and the
// watch over them.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transport/host_communicator.h"
#include "transport/nccl/calls.h"
#include "transport/nccl/link.h"
#include "transport/nccl/watch.h"

namespace pipedream::detail {

class NcclEngine {
 public:
  NcclEngine(HostCommunicator& host, torch::Device device, NcclCalls& calls);
  ~NcclEngine();
  NcclEngine(const NcclEngine&) = delete;
  NcclEngine& operator=(const NcclEngine&) = delete;

  HostCommunicator& host;
  const torch::Device device;
  Watch watch;

  // To be connected before they are used.
  NcclSendLink& send_link(int peer);
  NcclReceiveLink& receive_link(int peer);
  NcclLane& group_lane(const std::vector<int>& members, int id);

  // Collective over all workers: connects what is not connected yet.
  void connect();
  // Throws if the run has failed, or if the lane is not connected.
  void demand_use(const NcclLane& lane, const std::string& name);
  void progress();
  c10::Stream current_stream() const;

 private:
  using GroupName = std::pair<std::vector<int>, int>;
  struct Wanted {
    NcclLane* lane;
    NcclMembership membership;
    bool is_group;
  };
  nlohmann::json invite();
  std::optional<Wanted> accept(const nlohmann::json& invitation, int from);
  void demand_invitations(const std::vector<Wanted>& wanted) const;
  void try_out(const Wanted& part);

  NcclCalls& calls_;
  std::map<int, NcclSendLink> senders_;
  std::map<int, NcclReceiveLink> receivers_;
  std::map<GroupName, NcclLane> groups_;
};

}  // namespace pipedream::detail

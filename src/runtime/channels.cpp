#include "runtime/channels.h"

#include <algorithm>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

std::size_t direction_index(std::size_t link, bool gradients) { return 2 * link + (gradients ? 1 : 0); }

// Do two replicas of different stages ever handle the same microbatch?
bool share_microbatches(int replicas_a, int replica_a, int replicas_b, int replica_b) {
  for (std::int64_t k = replica_a; k < static_cast<std::int64_t>(replicas_a) * replicas_b; k += replicas_a) {
    if (k % replicas_b == replica_b) return true;
  }
  return false;
}

// For segments under any algorithm that the plan's stages can run.
int most_slots(const Plan& plan, const StageLink& link) {
  int slots = channel_slots(plan, link.from, link.to);
  for (const Algorithm algorithm : all_algorithms()) {
    try {
      slots = std::max(slots, channel_slots(with_algorithm(plan, algorithm), link.from, link.to));
    } catch (const ConfigError&) {
      continue;  // not under this one
    }
  }
  return slots;
}

}  // namespace

int first_free_channel_id(std::span<const StageLink> links) {
  return static_cast<int>(direction_index(links.size(), false));
}

Channels::Channels(const Plan& plan, std::vector<StageLink> links, std::span<const LinkTensors> tensors,
                   torch::Device device, Communicator& comm)
    : plan_(&plan), links_(std::move(links)), ends_(2 * links_.size()) {
  for (std::size_t l = 0; l < links_.size(); ++l) {
    for (const bool gradients : {false, true}) {
      const std::size_t index = direction_index(l, gradients);
      const int from = gradients ? links_[l].to : links_[l].from;
      const int to = gradients ? links_[l].from : links_[l].to;
      const auto& senders = plan.stages[static_cast<std::size_t>(from)].workers;
      const auto& receivers = plan.stages[static_cast<std::size_t>(to)].workers;
      const ChannelOptions options{gradients ? tensors[l].gradients : tensors[l].activations,
                                   most_slots(plan, links_[l]), device};
      const int id = static_cast<int>(index);
      Ends& ends = ends_[index];
      ends.senders.resize(receivers.size());
      ends.receivers.resize(senders.size());
      for (std::size_t a = 0; a < senders.size(); ++a) {
        for (std::size_t b = 0; b < receivers.size(); ++b) {
          if (!share_microbatches(static_cast<int>(senders.size()), static_cast<int>(a),
                                  static_cast<int>(receivers.size()), static_cast<int>(b))) {
            continue;
          }
          if (senders[a] == receivers[b]) continue;  // handed over without a message
          if (senders[a] == comm.rank()) ends.senders[b] = comm.open_send(receivers[b], id, options);
          if (receivers[b] == comm.rank()) ends.receivers[a] = comm.open_receive(senders[a], id, options);
        }
      }
    }
  }
}

Channels::Ends& Channels::ends(const Action& action) {
  const bool gradients = action.peer < action.stage;
  const StageLink wanted{std::min(action.stage, action.peer), std::max(action.stage, action.peer), true};
  const auto link = std::find_if(links_.begin(), links_.end(),
                                 [&](const StageLink& l) { return l.from == wanted.from && l.to == wanted.to; });
  return ends_[direction_index(static_cast<std::size_t>(link - links_.begin()), gradients)];
}

SendChannel& Channels::sender(const Action& action) {
  const auto& stage = plan_->stages[static_cast<std::size_t>(action.peer)];
  return *ends(action).senders[static_cast<std::size_t>(action.microbatch % stage.replicas())];
}

ReceiveChannel& Channels::receiver(const Action& action) {
  const auto& stage = plan_->stages[static_cast<std::size_t>(action.stage)];
  return *ends(action).receivers[static_cast<std::size_t>(action.microbatch % stage.replicas())];
}

}  // namespace pipedream::detail

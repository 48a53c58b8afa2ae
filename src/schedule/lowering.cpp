#include "schedule/lowering.h"

#include <algorithm>
#include <numeric>

#include "schedule/host.h"
#include "schedule/share.h"

namespace pipedream::detail {
namespace {

class Lowering {
 public:
  Lowering(const Plan& plan, std::span<const StageLink> links, const Segment& segment, int worker, int slots)
      : plan_(plan), segment_(segment), slots_(slots), compute_(compute_actions(plan, segment, worker)) {
    for (const Place& place : places_of(plan, worker)) {
      Host& host = hosts_.emplace_back();
      host.stage = place.stage;
      host.share = share_of(plan, segment, place);
      for (const StageLink& link : links) {
        add_ports(host, link);
      }
    }
    for (const Action& action : compute_) {
      if (action.kind == ActionKind::update) {
        host_of(action).updates.push_back(action);
      }
    }
  }

  std::vector<Action> run() {
    std::size_t actions = compute_.size();
    for (Host& host : hosts_) {
      actions += host.actions_beside_compute();
    }
    out_.reserve(actions);
    for (Host& host : hosts_) {
      post_first_receives(host.activations_in);
      post_first_receives(host.gradients_in);
    }
    for (const Action& action : compute_) {
      if (action.kind == ActionKind::update) {
        update(host_of(action), action);
      } else {
        pass(host_of(action), action);
      }
    }
    wait_for_last_sends();
    for (const Host& host : hosts_) {
      mark_versions(out_, host.stage);
    }
    return std::move(out_);
  }

 private:
  Host& host_of(const Action& action) {
    return *std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& host) { return host.stage == action.stage; });
  }

  void add_ports(Host& host, const StageLink& link) const {
    if (on_same_worker(plan_, link.from, link.to)) {
      return;
    }
    const bool returns_gradient = has_gradient(link, segment_);
    if (link.to == host.stage) {
      host.activations_in.push_back(make_port(host.share, link.from, link.to, true));
      if (returns_gradient) {
        host.gradients_out.push_back(make_port(host.share, link.to, link.from, false));
      }
    }
    if (link.from == host.stage) {
      host.activations_out.push_back(make_port(host.share, link.from, link.to, false));
      if (returns_gradient) {
        host.gradients_in.push_back(make_port(host.share, link.to, link.from, true));
      }
    }
  }

  Host::Port make_port(const Share& share, int sender_stage, int receiver_stage, bool receives) const {
    Host::Port port;
    port.sender_stage = sender_stage;
    port.receiver_stage = receiver_stage;
    port.slots = static_cast<std::size_t>(slots_ > 0 ? slots_ : channel_slots(plan_, sender_stage, receiver_stage));
    const StagePlan& peer = stage_plan(plan_, receives ? sender_stage : receiver_stage);
    port.channels.resize(peer.workers.size());
    if (receives) {
      for (std::size_t replica = 0; replica < peer.workers.size(); ++replica) {
        list_receives(port, share, static_cast<int>(replica), peer);
      }
    }
    return port;
  }

  // The sender's compute order decides the order of its messages.
  void list_receives(Host::Port& port, const Share& share, int peer_replica, const StagePlan& peer) const {
    const std::int64_t common = std::gcd(share.replicas, static_cast<std::int64_t>(peer.replicas()));
    if ((share.replica - peer_replica) % common != 0) {
      return;  // no microbatch belongs to both
    }
    const auto kind = port.sender_stage < port.receiver_stage ? ActionKind::forward : ActionKind::backward;
    auto& receives = port.channels[static_cast<std::size_t>(peer_replica)].receives;
    for (const Action& action :
         compute_actions(plan_, segment_, peer.workers[static_cast<std::size_t>(peer_replica)])) {
      if (action.kind == kind && action.stage == port.sender_stage &&
          action.microbatch % share.replicas == share.replica) {
        receives.push_back(action.microbatch);
      }
    }
  }

  void post_first_receives(std::vector<Host::Port>& ports) {
    for (Host::Port& port : ports) {
      for (Host::Channel& channel : port.channels) {
        for (std::size_t i = 0; i < port.slots; ++i) {
          post_next_receive(port, channel);
        }
      }
    }
  }

  void post_next_receive(const Host::Port& port, Host::Channel& channel) {
    if (channel.receives_posted < channel.receives.size()) {
      out_.push_back(port.message(ActionKind::receive_post, channel.receives[channel.receives_posted++]));
    }
  }

  // A forward or a backward with what it receives and sends.
  void pass(Host& host, const Action& action) {
    const bool is_forward = action.kind == ActionKind::forward;
    for (Host::Port& port : is_forward ? host.activations_in : host.gradients_in) {
      out_.push_back(port.message(ActionKind::receive_wait, action.microbatch));
      post_next_receive(port, port.channel(action.microbatch));
    }
    out_.push_back(action);
    for (Host::Port& port : is_forward ? host.activations_out : host.gradients_out) {
      send(port, action.microbatch);
    }
    if (!is_forward && is_last_own_backward_of_reduction(host, action)) {
      post_reduction(host);
    }
  }

  void send(Host::Port& port, std::int64_t microbatch) {
    Host::Channel& channel = port.channel(microbatch);
    if (channel.sends.size() - channel.sends_waited == port.slots) {
      out_.push_back(wait_for(channel.sends[channel.sends_waited++]));
    }
    channel.sends.push_back(out_.size());
    out_.push_back(port.message(ActionKind::send_post, microbatch));
  }

  Action wait_for(std::size_t posted_at) const {
    Action action = out_[posted_at];
    action.kind = ActionKind::send_wait;
    return action;
  }

  // Backwards are in ascending order of microbatches.
  static bool is_last_own_backward_of_reduction(const Host& host, const Action& backward) {
    if (host.share.replicas == 1 || host.next_reduction == host.updates.size()) {
      return false;
    }
    const Action& next = host.updates[host.next_reduction];
    const std::int64_t end = next.microbatch + next.covers;
    return backward.microbatch >= next.microbatch && backward.microbatch < end &&
           backward.microbatch + host.share.replicas >= end;
  }

  void post_reduction(Host& host) {
    Action action = host.updates[host.next_reduction++];
    action.kind = ActionKind::reduce_post;
    out_.push_back(action);
  }

  void update(Host& host, const Action& action) {
    if (host.share.replicas > 1) {
      if (host.next_reduction == host.next_update) {
        post_reduction(host);
      }
      ++host.next_update;
      Action wait = action;
      wait.kind = ActionKind::reduce_wait;
      out_.push_back(wait);
    }
    out_.push_back(action);
  }

  // Oldest first over all channels.
  void wait_for_last_sends() {
    std::vector<std::size_t> posted_at;
    for (const Host& host : hosts_) {
      for (const std::vector<Host::Port>* ports : {&host.activations_out, &host.gradients_out}) {
        for (const Host::Port& port : *ports) {
          for (const Host::Channel& channel : port.channels) {
            posted_at.insert(posted_at.end(), channel.sends.begin() + static_cast<std::ptrdiff_t>(channel.sends_waited),
                             channel.sends.end());
          }
        }
      }
    }
    std::sort(posted_at.begin(), posted_at.end());
    for (const std::size_t position : posted_at) {
      out_.push_back(wait_for(position));
    }
  }

  const Plan& plan_;
  const Segment segment_;
  const int slots_;
  const std::vector<Action> compute_;
  std::vector<Host> hosts_;
  std::vector<Action> out_;
};

}  // namespace

std::vector<Action> lower(const Plan& plan, std::span<const StageLink> links, const Segment& segment, int worker,
                          int slots) {
  return Lowering(plan, links, segment, worker, slots).run();
}

}  // namespace pipedream::detail

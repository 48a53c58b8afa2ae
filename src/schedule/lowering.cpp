#include "schedule/lowering.h"

#include <algorithm>
#include <numeric>

#include "schedule/share.h"

namespace pipedream::detail {
namespace {

// A channel at this worker's end.
struct Channel {
  std::vector<std::int64_t> receives;  // its messages in the sender's order
  std::size_t receives_posted = 0;
  std::vector<std::size_t> sends;  // where in the program each send is posted
  std::size_t sends_waited = 0;
};

// One end of a link in one direction: what this worker sends to, or receives from, the replicas of another stage.
struct Port {
  int sender_stage = 0;
  int receiver_stage = 0;
  std::size_t slots = 0;
  std::vector<Channel> channels;  // by the peer's replica

  Channel& channel(std::int64_t microbatch) { return channels[static_cast<std::size_t>(microbatch) % channels.size()]; }

  Action message(ActionKind kind, std::int64_t microbatch) const {
    Action action;
    action.kind = kind;
    action.stage = sender_stage;
    action.peer = receiver_stage;
    action.microbatch = microbatch;
    return action;
  }
};

class Lowering {
 public:
  Lowering(const Plan& plan, std::span<const StageLink> links, const Segment& segment, int worker, int slots)
      : plan_(plan),
        segment_(segment),
        place_(place_of(plan, worker)),
        share_(share_of(plan, segment, place_)),
        slots_(slots),
        compute_(compute_actions(plan, segment, worker)) {
    for (const StageLink& link : links) {
      add_ports(link);
    }
    for (const Action& action : compute_) {
      if (action.kind == ActionKind::update) {
        updates_.push_back(action);
      }
    }
  }

  std::vector<Action> run() {
    // A message is a post and a wait on each side.
    const std::size_t ports =
        activations_in_.size() + activations_out_.size() + gradients_in_.size() + gradients_out_.size();
    out_.reserve(compute_.size() + 2 * updates_.size() + 2 * ports * static_cast<std::size_t>(share_.count()));
    post_first_receives(activations_in_);
    post_first_receives(gradients_in_);
    for (const Action& action : compute_) {
      if (action.kind == ActionKind::update) {
        update(action);
      } else {
        pass(action);
      }
    }
    wait_for_last_sends();
    mark_versions(out_);
    return std::move(out_);
  }

 private:
  void add_ports(const StageLink& link) {
    const bool has_gradient = segment_.pass == Pass::probe || (segment_.pass == Pass::train && link.gradient);
    if (link.to == place_.stage) {
      activations_in_.push_back(make_port(link.from, link.to, true));
      if (has_gradient) {
        gradients_out_.push_back(make_port(link.to, link.from, false));
      }
    }
    if (link.from == place_.stage) {
      activations_out_.push_back(make_port(link.from, link.to, false));
      if (has_gradient) {
        gradients_in_.push_back(make_port(link.to, link.from, true));
      }
    }
  }

  Port make_port(int sender_stage, int receiver_stage, bool receives) const {
    Port port;
    port.sender_stage = sender_stage;
    port.receiver_stage = receiver_stage;
    port.slots = static_cast<std::size_t>(slots_ > 0 ? slots_ : channel_slots(plan_, sender_stage, receiver_stage));
    const StagePlan& peer = stage_plan(plan_, receives ? sender_stage : receiver_stage);
    port.channels.resize(peer.workers.size());
    if (receives) {
      for (std::size_t replica = 0; replica < peer.workers.size(); ++replica) {
        list_receives(port, static_cast<int>(replica), peer);
      }
    }
    return port;
  }

  // The sender's compute order decides the order of its messages.
  void list_receives(Port& port, int peer_replica, const StagePlan& peer) const {
    const std::int64_t common = std::gcd(share_.replicas, static_cast<std::int64_t>(peer.replicas()));
    if ((share_.replica - peer_replica) % common != 0) {
      return;  // no microbatch belongs to both
    }
    const auto kind = port.sender_stage < port.receiver_stage ? ActionKind::forward : ActionKind::backward;
    auto& receives = port.channels[static_cast<std::size_t>(peer_replica)].receives;
    for (const Action& action :
         compute_actions(plan_, segment_, peer.workers[static_cast<std::size_t>(peer_replica)])) {
      if (action.kind == kind && action.microbatch % share_.replicas == share_.replica) {
        receives.push_back(action.microbatch);
      }
    }
  }

  void post_first_receives(std::vector<Port>& ports) {
    for (Port& port : ports) {
      for (Channel& channel : port.channels) {
        for (std::size_t i = 0; i < port.slots; ++i) {
          post_next_receive(port, channel);
        }
      }
    }
  }

  void post_next_receive(const Port& port, Channel& channel) {
    if (channel.receives_posted < channel.receives.size()) {
      out_.push_back(port.message(ActionKind::receive_post, channel.receives[channel.receives_posted++]));
    }
  }

  // A forward or a backward with what it receives and sends.
  void pass(const Action& action) {
    const bool is_forward = action.kind == ActionKind::forward;
    for (Port& port : is_forward ? activations_in_ : gradients_in_) {
      out_.push_back(port.message(ActionKind::receive_wait, action.microbatch));
      post_next_receive(port, port.channel(action.microbatch));
    }
    out_.push_back(action);
    for (Port& port : is_forward ? activations_out_ : gradients_out_) {
      send(port, action.microbatch);
    }
    if (!is_forward && is_last_own_backward_of(action, next_reduction_)) {
      post_reduction();
    }
  }

  void send(Port& port, std::int64_t microbatch) {
    Channel& channel = port.channel(microbatch);
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
  bool is_last_own_backward_of(const Action& backward, std::size_t update) const {
    if (share_.replicas == 1 || update == updates_.size()) {
      return false;
    }
    const std::int64_t first = updates_[update].microbatch;
    const std::int64_t end = first + updates_[update].covers;
    return backward.microbatch >= first && backward.microbatch < end && backward.microbatch + share_.replicas >= end;
  }

  void post_reduction() {
    Action action = updates_[next_reduction_++];
    action.kind = ActionKind::reduce_post;
    out_.push_back(action);
  }

  void update(const Action& action) {
    if (share_.replicas > 1) {
      if (next_reduction_ == next_update_) {
        post_reduction();
      }
      ++next_update_;
      Action wait = action;
      wait.kind = ActionKind::reduce_wait;
      out_.push_back(wait);
    }
    out_.push_back(action);
  }

  // Oldest first over all channels.
  void wait_for_last_sends() {
    std::vector<std::size_t> posted_at;
    for (std::vector<Port>* ports : {&activations_out_, &gradients_out_}) {
      for (const Port& port : *ports) {
        for (const Channel& channel : port.channels) {
          posted_at.insert(posted_at.end(), channel.sends.begin() + static_cast<std::ptrdiff_t>(channel.sends_waited),
                           channel.sends.end());
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
  const Place place_;
  const Share share_;
  const int slots_;
  const std::vector<Action> compute_;
  std::vector<Action> updates_;
  std::size_t next_reduction_ = 0;
  std::size_t next_update_ = 0;
  std::vector<Port> activations_in_, activations_out_, gradients_in_, gradients_out_;
  std::vector<Action> out_;
};

}  // namespace

std::vector<Action> lower(const Plan& plan, std::span<const StageLink> links, const Segment& segment, int worker,
                          int slots) {
  return Lowering(plan, links, segment, worker, slots).run();
}

}  // namespace pipedream::detail

// What a lowering keeps of each stage that its worker hosts.
#pragma once

#include <cstdint>
#include <vector>

#include "pipedream/action.h"
#include "schedule/share.h"

namespace pipedream::detail {

// The worker's part of a stage, the ends of the stage's links there, and its updates.
struct Host {
  // A channel at this worker's end.
  struct Channel {
    std::vector<std::int64_t> receives;  // its messages in the sender's order
    std::size_t receives_posted = 0;
    std::vector<std::size_t> sends;  // where in the program each send is posted
    std::size_t sends_waited = 0;
  };

  // One end of a link in one direction: what the worker sends to, or receives from, the replicas of another stage.
  struct Port {
    int sender_stage = 0;
    int receiver_stage = 0;
    std::size_t slots = 0;
    std::vector<Channel> channels;  // by the peer's replica

    Channel& channel(std::int64_t microbatch) {
      return channels[static_cast<std::size_t>(microbatch) % channels.size()];
    }

    Action message(ActionKind kind, std::int64_t microbatch) const {
      Action action;
      action.kind = kind;
      action.stage = sender_stage;
      action.peer = receiver_stage;
      action.microbatch = microbatch;
      return action;
    }
  };

  int stage = 0;
  Share share;
  std::vector<Port> activations_in, activations_out, gradients_in, gradients_out;
  std::vector<Action> updates;
  std::size_t next_reduction = 0;
  std::size_t next_update = 0;

  // A message is a post and a wait on each side.
  std::size_t actions_beside_compute() const {
    const std::size_t ports =
        activations_in.size() + activations_out.size() + gradients_in.size() + gradients_out.size();
    return 2 * updates.size() + 2 * ports * static_cast<std::size_t>(share.count());
  }
};

}  // namespace pipedream::detail

#include "schedule/action_replay.h"

namespace pipedream::detail {

void ActionReplay::check_has_replicas() const {
  if (stage_.replicas == 1) {
    fail("a stage with one replica has nothing to reduce");
  }
}

void ActionReplay::reduce_post() {
  check_sends_posted();
  check_has_replicas();
  check_update("reduction", own_.reductions_posted);
  if (own_.reductions_posted - own_.reductions_waited == stage_.most_reductions) {
    fail("too many reductions posted and not waited for: the plan allows {}", stage_.most_reductions);
  }
  const std::int64_t u = own_.reductions_posted++;
  std::int64_t& posted = stage_.posted[static_cast<std::size_t>(u) % stage_.posted.size()];
  if (++posted == stage_.replicas) {
    posted = 0;
    stage_.reduced = u + 1;
    for (const int replica : stage_.workers) {
      wake(replica, nullptr);
    }
  }
}

bool ActionReplay::reduce_wait() {
  check_sends_posted();
  check_has_replicas();
  check_update("wait for a reduction", own_.reductions_waited);
  if (own_.reductions_posted == own_.reductions_waited) {
    fail("the reduction has not been posted");
  }
  if (stage_.reduced <= own_.reductions_waited) {
    return wait_on(nullptr);
  }
  ++own_.reductions_waited;
  return true;
}

Port& ActionReplay::port() const {
  Port* found = state_.port_of(own_, action_);
  if (found == nullptr) {
    fail("no message goes from stage {} to stage {}", action_.stage, action_.peer);
  }
  return *found;
}

Channel& ActionReplay::channel(const Port& used) const {
  Channel& found = state_.channel_of(used, action_.microbatch);
  if ((used.is_sender ? found.sender : found.receiver) != id_) {
    fail("microbatch {} is that of worker {}", action_.microbatch, used.is_sender ? found.sender : found.receiver);
  }
  return found;
}

// The order of a channel is that of its microbatches.
void ActionReplay::check_order(const Port& used, const Channel& found, std::int64_t done) const {
  if (action_.microbatch / used.cycle != done) {
    fail("out of order: message {} on the channel from worker {} to worker {} is microbatch {}", done, found.sender,
         found.receiver, action_.microbatch % used.cycle + done * used.cycle);
  }
}

void ActionReplay::send_post() {
  Port& used = port();
  Channel& found = channel(used);
  check_order(used, found, found.sends_posted);
  const bool activations = used.carries_activations();
  if (used.done >= (activations ? own_.forwards : own_.backwards)) {
    fail("the {} to send have not been computed", activations ? "activations" : "gradients");
  }
  if (action_.microbatch != own_.share.microbatch(used.done)) {
    fail("out of order: the next {} to send are those of microbatch {}", activations ? "activations" : "gradients",
         own_.share.microbatch(used.done));
  }
  if (found.sends_posted - found.sends_waited == used.slots) {
    fail("too many sends posted and not waited for: the channel to worker {} has {} slots", found.receiver, used.slots);
  }
  ++used.done;
  --worker_.pending_sends;
  ++found.sends_posted;
  wake(found.receiver, &found);
}

bool ActionReplay::send_wait() {
  Port& used = port();
  Channel& found = channel(used);
  check_order(used, found, found.sends_waited);
  if (found.sends_posted == found.sends_waited) {
    fail("the send has not been posted");
  }
  if (found.receives_posted <= found.sends_waited) {
    return wait_on(&found);
  }
  ++found.sends_waited;
  return true;
}

void ActionReplay::receive_post() {
  Port& used = port();
  Channel& found = channel(used);
  check_order(used, found, found.receives_posted);
  if (found.receives_posted - found.receives_waited == used.slots) {
    fail("too many receives posted and not waited for: the channel from worker {} has {} slots", found.sender,
         used.slots);
  }
  ++found.receives_posted;
  wake(found.sender, &found);
}

bool ActionReplay::receive_wait() {
  Port& used = port();
  Channel& found = channel(used);
  check_order(used, found, found.receives_waited);
  if (found.receives_posted == found.receives_waited) {
    fail("the receive has not been posted");
  }
  const std::int64_t computed = used.carries_activations() ? own_.forwards : own_.backwards;
  if (action_.microbatch != own_.share.microbatch(computed)) {
    fail("out of order: the worker's next {} is that of microbatch {}",
         used.carries_activations() ? "forward" : "backward", own_.share.microbatch(computed));
  }
  if (found.sends_posted <= found.receives_waited) {
    return wait_on(&found);
  }
  ++found.receives_waited;
  ++used.done;
  return true;
}

bool ActionReplay::wait_on(const Channel* channel) const {
  worker_.is_waiting = true;
  worker_.waits_on = channel;
  return false;
}

void ActionReplay::wake(int worker, const Channel* channel) const {
  WorkerState& woken = state_.workers[static_cast<std::size_t>(worker)];
  if (woken.is_waiting && woken.waits_on == channel) {
    woken.is_waiting = false;
    state_.ready.push_back(worker);
  }
}

}  // namespace pipedream::detail

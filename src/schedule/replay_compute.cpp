#include <algorithm>

#include "schedule/action_replay.h"

namespace pipedream::detail {

bool ActionReplay::run() {
  check_place();
  switch (action_.kind) {
    case ActionKind::forward:
      forward();
      return true;
    case ActionKind::backward:
      backward();
      return true;
    case ActionKind::update:
      update();
      return true;
    case ActionKind::reduce_post:
      reduce_post();
      return true;
    case ActionKind::reduce_wait:
      return reduce_wait();
    case ActionKind::send_post:
      send_post();
      return true;
    case ActionKind::send_wait:
      return send_wait();
    case ActionKind::receive_post:
      receive_post();
      return true;
    case ActionKind::receive_wait:
      return receive_wait();
  }
  fail("an action of no known kind");
}

void ActionReplay::check_place() const {
  if (action_.microbatch < 0 || action_.microbatch >= state_.segment.microbatches) {
    fail("the segment has microbatches 0 to {}", state_.segment.microbatches - 1);
  }
  if (own_.stage != acting_stage(action_)) {
    fail("stage {} is not on this worker", acting_stage(action_));
  }
}

void ActionReplay::check_sends_posted() const {
  if (worker_.pending_sends == 0) {
    return;
  }
  const bool is_reduction = action_.kind == ActionKind::reduce_post;
  for (std::size_t p = worker_.first_port; p < worker_.end_port; ++p) {
    const Port& port = state_.ports[p];
    if (!port.is_sender) {
      continue;
    }
    const HostedStage& sender = state_.hosted[state_.hosted_index(worker_, port.sender_stage)];
    if (port.done < (port.carries_activations() ? sender.forwards : sender.backwards)) {
      fail("{} S{}>{}.{}",
           is_reduction ? "reduce before send: the reduction is posted ahead of" : "stands before the send",
           port.sender_stage, port.receiver_stage, sender.share.microbatch(port.done));
    }
  }
}

// All messages that the next forward, or backward, uses have been waited for.
void ActionReplay::check_received(bool activations, std::int64_t needed) const {
  for (std::size_t p = own_.first_port; p < own_.end_port; ++p) {
    const Port& port = state_.ports[p];
    if (!port.is_sender && port.carries_activations() == activations && port.done < needed) {
      fail("r{}>{}.{} has not been waited for", port.sender_stage, port.receiver_stage, action_.microbatch);
    }
  }
}

// What the next forward uses of the worker's own stages.
void ActionReplay::check_local_forwards() const {
  for (const LocalLink& link : worker_.local_links) {
    const HostedStage& from = state_.hosted[link.from];
    if (&state_.hosted[link.to] == &own_ && from.forwards <= own_.forwards) {
      fail("stands before the forward of stage {}, whose activations it uses", from.stage);
    }
  }
}

void ActionReplay::check_local_backwards() const {
  for (const LocalLink& link : worker_.local_links) {
    const HostedStage& to = state_.hosted[link.to];
    if (&state_.hosted[link.from] == &own_ && link.gradient && to.backwards <= own_.backwards) {
      fail("stands before the backward of stage {}, whose gradients it uses", to.stage);
    }
  }
}

void ActionReplay::check_own(const char* what, std::int64_t done) const {
  if (done >= own_.own) {
    fail("the worker has done all its {} {}s", own_.own, what);
  }
  if (action_.microbatch != own_.share.microbatch(done)) {
    fail("the worker's next {} is that of microbatch {}", what, own_.share.microbatch(done));
  }
}

// The right version, and it is there.
void ActionReplay::check_version(const VersionTable& table, std::int64_t i) const {
  const std::int64_t expected = stage_.version(table, own_.share, i);
  if (action_.version != expected) {
    fail("wrong version: the plan says version {}", expected);
  }
  if (action_.version > own_.newest()) {
    fail("version {} is not present: the newest is {}", action_.version, own_.newest());
  }
  if (action_.version < own_.newest() && own_.kept_slot(action_.version) != action_.version) {
    fail("version {} is not present: it was freed or overwritten, the newest is {}", action_.version, own_.newest());
  }
}

void ActionReplay::forward() {
  check_sends_posted();
  check_own("forward", own_.forwards);
  check_received(true, own_.forwards + 1);
  check_local_forwards();
  check_version(stage_.tables.forward, own_.forwards);
  if (action_.frees_version) {
    fail("frees version {}, which {} still names", action_.version,
         stage_.has_backward ? "its backward" : "every forward");
  }
  const std::int64_t in_flight = own_.forwards + 1 - own_.backwards;
  if (in_flight > stage_.most_in_flight) {
    fail("{} microbatches in flight: the plan allows {}", in_flight, stage_.most_in_flight);
  }
  if (stage_.has_backward) {
    ++worker_.in_flight;
    worker_.peak_in_flight = std::max(worker_.peak_in_flight, worker_.in_flight);
  }
  ++own_.forwards;
  worker_.pending_sends = own_.activation_sends;
}

void ActionReplay::backward() {
  check_sends_posted();
  if (!stage_.has_backward) {
    fail("a backward in a forward-only segment");
  }
  check_own("backward", own_.backwards);
  if (own_.backwards == own_.forwards) {
    fail("the backward stands before the forward of its microbatch");
  }
  check_received(false, own_.backwards + 1);
  check_local_backwards();
  check_version(stage_.tables.backward, own_.backwards);
  free_version();
  ++own_.backwards;
  --worker_.in_flight;
  worker_.pending_sends = own_.gradient_sends;
}

void ActionReplay::free_version() {
  const std::int64_t version = action_.version;
  const bool is_superseded = version < own_.newest();
  const bool is_named = stage_.is_named_from(own_.share, own_.forwards, own_.backwards + 1, version);
  if (action_.frees_version && !is_superseded) {
    fail("frees version {}, which is the newest", version);
  }
  if (action_.frees_version && is_named) {
    fail("frees version {}, which a later action still names", version);
  }
  if (!action_.frees_version && is_superseded && !is_named) {
    fail("the last action to name version {} must free it ('-')", version);
  }
  if (action_.frees_version) {
    own_.kept_slot(version) = -1;
    --own_.versions;
    --worker_.versions;
  }
}

// Update and reduction u: the next one, and what it covers.
void ActionReplay::check_update(const char* what, std::int64_t done) const {
  if (!stage_.has_update) {
    fail("{} in a segment without updates", what);
  }
  if (done >= stage_.updates) {
    fail("all {} updates have been done", stage_.updates);
  }
  const std::int64_t per_update = stage_.tables.forward.per_update;
  const std::int64_t first = done * per_update;
  const std::int64_t covers = std::min(per_update, state_.segment.microbatches - first);
  if (action_.version != done + 1 || action_.microbatch != first || action_.covers != covers) {
    fail("the worker's next {} makes version {} of {} microbatch(es) from {} on", what, done + 1, covers, first);
  }
  const std::int64_t own_before = std::min(own_.own, own_.share.first_from(first + covers));
  if (own_.backwards < own_before) {
    fail("the {} stands before the backward of microbatch {}", what, own_.share.microbatch(own_.backwards));
  }
}

void ActionReplay::update() {
  check_sends_posted();
  check_update("update", own_.updates);
  if (stage_.replicas > 1 && own_.reductions_waited == own_.updates) {
    fail("its reduction has not been waited for");
  }
  const std::int64_t old = own_.newest();
  const bool is_named = stage_.is_named_from(own_.share, own_.forwards, own_.backwards, old);
  if (!action_.copies_version && is_named) {
    fail("overwrites version {}, which a later action still names: it must copy ('+')", old);
  }
  if (action_.copies_version && !is_named) {
    fail("copies version {}, which no later action names", old);
  }
  if (action_.copies_version) {
    keep_version(old);
  }
  ++own_.updates;
}

void ActionReplay::keep_version(std::int64_t version) {
  if (own_.versions == stage_.most_versions || own_.kept_slot(version) != -1) {
    fail("{} versions held: the plan allows {}", own_.versions + 1, stage_.most_versions);
  }
  own_.kept_slot(version) = version;
  ++own_.versions;
  ++worker_.versions;
  worker_.peak_versions = std::max(worker_.peak_versions, worker_.versions);
}

}  // namespace pipedream::detail

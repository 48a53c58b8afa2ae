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
  if (!is_message(action_.kind) && action_.stage != worker_.stage) {
    fail("the worker is of stage {}", worker_.stage);
  }
}

void ActionReplay::check_sends_posted() const {
  if (worker_.pending_sends == 0) {
    return;
  }
  const bool is_reduction = action_.kind == ActionKind::reduce_post;
  for (std::size_t p = worker_.first_port; p < worker_.end_port; ++p) {
    const Port& port = state_.ports[p];
    const std::int64_t made = port.carries_activations() ? worker_.forwards : worker_.backwards;
    if (port.is_sender && port.done < made) {
      fail("{} S{}>{}.{}",
           is_reduction ? "reduce before send: the reduction is posted ahead of" : "stands before the send",
           port.sender_stage, port.receiver_stage, worker_.share.microbatch(port.done));
    }
  }
}

// All messages that the next forward, or backward, uses have been waited for.
void ActionReplay::check_received(bool activations, std::int64_t needed) const {
  for (std::size_t p = worker_.first_port; p < worker_.end_port; ++p) {
    const Port& port = state_.ports[p];
    if (!port.is_sender && port.carries_activations() == activations && port.done < needed) {
      fail("r{}>{}.{} has not been waited for", port.sender_stage, port.receiver_stage, action_.microbatch);
    }
  }
}

void ActionReplay::check_own(const char* what, std::int64_t done) const {
  if (done >= worker_.own) {
    fail("the worker has done all its {} {}s", worker_.own, what);
  }
  if (action_.microbatch != worker_.share.microbatch(done)) {
    fail("the worker's next {} is that of microbatch {}", what, worker_.share.microbatch(done));
  }
}

// The right version, and it is there.
void ActionReplay::check_version(const VersionTable& table, std::int64_t i) const {
  const std::int64_t expected = stage_.version(table, worker_.share, i);
  if (action_.version != expected) {
    fail("wrong version: the plan says version {}", expected);
  }
  if (action_.version > worker_.newest()) {
    fail("version {} is not present: the newest is {}", action_.version, worker_.newest());
  }
  if (action_.version < worker_.newest() && worker_.kept_slot(action_.version) != action_.version) {
    fail("version {} is not present: it was freed or overwritten, the newest is {}", action_.version, worker_.newest());
  }
}

void ActionReplay::forward() {
  check_sends_posted();
  check_own("forward", worker_.forwards);
  check_received(true, worker_.forwards + 1);
  check_version(stage_.tables.forward, worker_.forwards);
  if (action_.frees_version) {
    fail("frees version {}, which {} still names", action_.version,
         stage_.has_backward ? "its backward" : "every forward");
  }
  const std::int64_t in_flight = worker_.forwards + 1 - worker_.backwards;
  if (in_flight > stage_.most_in_flight) {
    fail("{} microbatches in flight: the plan allows {}", in_flight, stage_.most_in_flight);
  }
  if (stage_.has_backward) {
    worker_.peak_in_flight = std::max(worker_.peak_in_flight, in_flight);
  }
  ++worker_.forwards;
  worker_.pending_sends = worker_.activation_sends;
}

void ActionReplay::backward() {
  check_sends_posted();
  if (!stage_.has_backward) {
    fail("a backward in a forward-only segment");
  }
  check_own("backward", worker_.backwards);
  if (worker_.backwards == worker_.forwards) {
    fail("the backward stands before the forward of its microbatch");
  }
  check_received(false, worker_.backwards + 1);
  check_version(stage_.tables.backward, worker_.backwards);
  free_version();
  ++worker_.backwards;
  worker_.pending_sends = worker_.gradient_sends;
}

void ActionReplay::free_version() {
  const std::int64_t version = action_.version;
  const bool is_superseded = version < worker_.newest();
  const bool is_named = stage_.is_named_from(worker_.share, worker_.forwards, worker_.backwards + 1, version);
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
    worker_.kept_slot(version) = -1;
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
  const std::int64_t own_before = std::min(worker_.own, worker_.share.first_from(first + covers));
  if (worker_.backwards < own_before) {
    fail("the {} stands before the backward of microbatch {}", what, worker_.share.microbatch(worker_.backwards));
  }
}

void ActionReplay::update() {
  check_sends_posted();
  check_update("update", worker_.updates);
  if (stage_.replicas > 1 && worker_.reductions_waited == worker_.updates) {
    fail("its reduction has not been waited for");
  }
  const std::int64_t old = worker_.newest();
  const bool is_named = stage_.is_named_from(worker_.share, worker_.forwards, worker_.backwards, old);
  if (!action_.copies_version && is_named) {
    fail("overwrites version {}, which a later action still names: it must copy ('+')", old);
  }
  if (action_.copies_version && !is_named) {
    fail("copies version {}, which no later action names", old);
  }
  if (action_.copies_version) {
    keep_version(old);
  }
  ++worker_.updates;
}

void ActionReplay::keep_version(std::int64_t version) {
  if (worker_.versions == stage_.most_versions || worker_.kept_slot(version) != -1) {
    fail("{} versions held: the plan allows {}", worker_.versions + 1, stage_.most_versions);
  }
  worker_.kept_slot(version) = version;
  ++worker_.versions;
  worker_.peak_versions = std::max(worker_.peak_versions, worker_.versions);
}

}  // namespace pipedream::detail

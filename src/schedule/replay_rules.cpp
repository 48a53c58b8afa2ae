// The rules that every action must keep, and what it changes.
#include <fmt/format.h>

#include <algorithm>

#include "schedule/replay_state.h"

namespace pipedream::detail {
namespace {

class ActionReplay {
 public:
  ActionReplay(ReplayState& state, int worker)
      : state_(state),
        id_(worker),
        worker_(state.workers[static_cast<std::size_t>(worker)]),
        stage_(state.stages[static_cast<std::size_t>(worker_.stage)]),
        action_(*worker_.current) {}

  bool run() {
    check_place();
    switch (action_.kind) {
      case ActionKind::forward:
        return forward();
      case ActionKind::backward:
        return backward();
      case ActionKind::update:
        return update();
      case ActionKind::reduce_post:
        return reduce_post();
      case ActionKind::reduce_wait:
        return reduce_wait();
      case ActionKind::send_post:
        return send_post();
      case ActionKind::send_wait:
        return send_wait();
      case ActionKind::receive_post:
        return receive_post();
      case ActionKind::receive_wait:
        return receive_wait();
    }
    fail("an action of no known kind");
  }

 private:
  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> form, Args&&... args) const {
    fail_at(state_, id_, fmt::format(form, std::forward<Args>(args)...));
  }

  void check_place() const {
    if (action_.microbatch < 0 || action_.microbatch >= state_.segment.microbatches) {
      fail("the segment has microbatches 0 to {}", state_.segment.microbatches - 1);
    }
    if (!is_message(action_.kind) && action_.stage != worker_.stage) {
      fail("the worker is of stage {}", worker_.stage);
    }
  }

  void check_sends_posted() const {
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
  void check_received(bool activations, std::int64_t needed) const {
    for (std::size_t p = worker_.first_port; p < worker_.end_port; ++p) {
      const Port& port = state_.ports[p];
      if (!port.is_sender && port.carries_activations() == activations && port.done < needed) {
        fail("r{}>{}.{} has not been waited for", port.sender_stage, port.receiver_stage, action_.microbatch);
      }
    }
  }

  void check_own(const char* what, std::int64_t done) const {
    if (done >= worker_.own) {
      fail("the worker has done all its {} {}s", worker_.own, what);
    }
    if (action_.microbatch != worker_.share.microbatch(done)) {
      fail("the worker's next {} is that of microbatch {}", what, worker_.share.microbatch(done));
    }
  }

  // The right version, and it is there.
  void check_version(std::int64_t i) const {
    const std::int64_t expected = stage_.version(worker_.share, i);
    if (action_.version != expected) {
      fail("wrong version: the plan says version {}", expected);
    }
    if (action_.version > worker_.newest()) {
      fail("version {} is not present: the newest is {}", action_.version, worker_.newest());
    }
    if (action_.version < worker_.newest() && worker_.kept_slot(action_.version) != action_.version) {
      fail("version {} is not present: it was freed or overwritten, the newest is {}", action_.version,
           worker_.newest());
    }
  }

  bool forward() {
    check_sends_posted();
    check_own("forward", worker_.forwards);
    check_received(true, worker_.forwards + 1);
    check_version(worker_.forwards);
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
    return true;
  }

  bool backward() {
    check_sends_posted();
    if (!stage_.has_backward) {
      fail("a backward in a forward-only segment");
    }
    check_own("backward", worker_.backwards);
    if (worker_.backwards == worker_.forwards) {
      fail("the backward stands before the forward of its microbatch");
    }
    check_received(false, worker_.backwards + 1);
    check_version(worker_.backwards);
    free_version();
    ++worker_.backwards;
    worker_.pending_sends = worker_.gradient_sends;
    return true;
  }

  void free_version() {
    const std::int64_t version = action_.version;
    const bool is_superseded = version < worker_.newest();
    const bool is_named = stage_.is_named_from(worker_.share, worker_.backwards + 1, version);
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
  void check_update(const char* what, std::int64_t done) const {
    if (!stage_.has_update) {
      fail("{} in a segment without updates", what);
    }
    if (done >= stage_.updates) {
      fail("all {} updates have been done", stage_.updates);
    }
    const std::int64_t first = done * stage_.per_update;
    const std::int64_t covers = std::min(stage_.per_update, state_.segment.microbatches - first);
    if (action_.version != done + 1 || action_.microbatch != first || action_.covers != covers) {
      fail("the worker's next {} makes version {} of {} microbatch(es) from {} on", what, done + 1, covers, first);
    }
    const std::int64_t own_before = std::min(worker_.own, worker_.share.first_from(first + covers));
    if (worker_.backwards < own_before) {
      fail("the {} stands before the backward of microbatch {}", what, worker_.share.microbatch(worker_.backwards));
    }
  }

  bool update() {
    check_sends_posted();
    check_update("update", worker_.updates);
    if (stage_.replicas > 1 && worker_.reductions_waited == worker_.updates) {
      fail("its reduction has not been waited for");
    }
    const std::int64_t old = worker_.newest();
    const bool is_named = stage_.is_named_from(worker_.share, worker_.backwards, old);
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
    return true;
  }

  void keep_version(std::int64_t version) {
    if (worker_.versions == stage_.most_versions || worker_.kept_slot(version) != -1) {
      fail("{} versions held: the plan allows {}", worker_.versions + 1, stage_.most_versions);
    }
    worker_.kept_slot(version) = version;
    ++worker_.versions;
    worker_.peak_versions = std::max(worker_.peak_versions, worker_.versions);
  }

  bool reduce_post() {
    check_sends_posted();
    check_has_replicas();
    check_update("reduction", worker_.reductions_posted);
    if (worker_.reductions_posted - worker_.reductions_waited == stage_.most_reductions) {
      fail("too many reductions posted and not waited for: the plan allows {}", stage_.most_reductions);
    }
    const std::int64_t u = worker_.reductions_posted++;
    std::int64_t& posted = stage_.posted[static_cast<std::size_t>(u) % stage_.posted.size()];
    if (++posted == stage_.replicas) {
      posted = 0;
      stage_.reduced = u + 1;
      for (const int replica : stage_.workers) {
        wake(replica, nullptr);
      }
    }
    return true;
  }

  bool reduce_wait() {
    check_sends_posted();
    check_has_replicas();
    check_update("wait for a reduction", worker_.reductions_waited);
    if (worker_.reductions_posted == worker_.reductions_waited) {
      fail("the reduction has not been posted");
    }
    if (stage_.reduced <= worker_.reductions_waited) {
      return wait_on(nullptr);
    }
    ++worker_.reductions_waited;
    return true;
  }

  void check_has_replicas() const {
    if (stage_.replicas == 1) {
      fail("a stage with one replica has nothing to reduce");
    }
  }

  Port& port(bool as_sender) const {
    Port* found = state_.port_of(worker_, action_);
    if (found == nullptr) {
      fail("stage {} has no such message with stage {}", worker_.stage,
           action_.stage == worker_.stage ? action_.peer : action_.stage);
    }
    if (found->is_sender != as_sender) {
      fail("stage {} is the message's {}", worker_.stage, as_sender ? "receiver" : "sender");
    }
    return *found;
  }

  Channel& channel(const Port& used) const {
    Channel& found = state_.channel_of(used, action_.microbatch);
    if ((used.is_sender ? found.sender : found.receiver) != id_) {
      fail("microbatch {} is that of worker {}", action_.microbatch, used.is_sender ? found.sender : found.receiver);
    }
    return found;
  }

  // The order of a channel is that of its microbatches.
  void check_order(const Port& used, const Channel& found, std::int64_t done) const {
    if (action_.microbatch / used.cycle != done) {
      fail("out of order: message {} on the channel from worker {} to worker {} is microbatch {}", done, found.sender,
           found.receiver, action_.microbatch % used.cycle + done * used.cycle);
    }
  }

  bool send_post() {
    Port& used = port(true);
    Channel& found = channel(used);
    check_order(used, found, found.sends_posted);
    const bool activations = used.carries_activations();
    if (used.done >= (activations ? worker_.forwards : worker_.backwards)) {
      fail("the {} to send have not been computed", activations ? "activations" : "gradients");
    }
    if (action_.microbatch != worker_.share.microbatch(used.done)) {
      fail("out of order: the next {} to send are those of microbatch {}", activations ? "activations" : "gradients",
           worker_.share.microbatch(used.done));
    }
    if (found.sends_posted - found.sends_waited == used.slots) {
      fail("too many sends posted and not waited for: the channel to worker {} has {} slots", found.receiver,
           used.slots);
    }
    ++used.done;
    --worker_.pending_sends;
    ++found.sends_posted;
    wake(found.receiver, &found);
    return true;
  }

  bool send_wait() {
    Port& used = port(true);
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

  bool receive_post() {
    Port& used = port(false);
    Channel& found = channel(used);
    check_order(used, found, found.receives_posted);
    if (found.receives_posted - found.receives_waited == used.slots) {
      fail("too many receives posted and not waited for: the channel from worker {} has {} slots", found.sender,
           used.slots);
    }
    ++found.receives_posted;
    wake(found.sender, &found);
    return true;
  }

  bool receive_wait() {
    Port& used = port(false);
    Channel& found = channel(used);
    check_order(used, found, found.receives_waited);
    if (found.receives_posted == found.receives_waited) {
      fail("the receive has not been posted");
    }
    const std::int64_t computed = used.carries_activations() ? worker_.forwards : worker_.backwards;
    if (action_.microbatch != worker_.share.microbatch(computed)) {
      fail("out of order: the worker's next {} is that of microbatch {}",
           used.carries_activations() ? "forward" : "backward", worker_.share.microbatch(computed));
    }
    if (found.sends_posted <= found.receives_waited) {
      return wait_on(&found);
    }
    ++found.receives_waited;
    ++used.done;
    return true;
  }

  bool wait_on(const Channel* channel) const {
    worker_.is_waiting = true;
    worker_.waits_on = channel;
    return false;
  }

  void wake(int worker, const Channel* channel) const {
    WorkerState& woken = state_.workers[static_cast<std::size_t>(worker)];
    if (woken.is_waiting && woken.waits_on == channel) {
      woken.is_waiting = false;
      state_.ready.push_back(worker);
    }
  }

  ReplayState& state_;
  const int id_;
  WorkerState& worker_;
  StageRule& stage_;
  const Action& action_;
};

}  // namespace

bool replay_action(ReplayState& state, int worker) { return ActionReplay(state, worker).run(); }

void check_end(ReplayState& state, int id) {
  WorkerState& worker = state.workers[static_cast<std::size_t>(id)];
  const StageRule& stage = state.stages[static_cast<std::size_t>(worker.stage)];
  const auto missing = [&](const char* what, std::int64_t done, std::int64_t expected) {
    if (done < expected) {
      fail_at(state, id, fmt::format("the program ends with {} of {} {} done", done, expected, what));
    }
  };
  missing("forwards", worker.forwards, worker.own);
  missing("backwards", worker.backwards, stage.has_backward ? worker.own : 0);
  missing("updates", worker.updates, stage.updates);
  missing("waits for reductions", worker.reductions_waited, worker.reductions_posted);
  for (std::size_t p = worker.first_port; p < worker.end_port; ++p) {
    const Port& port = state.ports[p];
    missing(port.is_sender ? "sends of a link" : "receives of a link", port.done, worker.own);
    for (std::int64_t i = 0; i < std::min(worker.own, port.cycle / stage.replicas); ++i) {
      const Channel& channel = state.channel_of(port, worker.share.microbatch(i));
      if (port.is_sender) {
        missing(fmt::format("waits for sends to worker {}", channel.receiver).c_str(), channel.sends_waited,
                channel.sends_posted);
      } else {
        missing(fmt::format("waits for receives from worker {}", channel.sender).c_str(), channel.receives_waited,
                channel.receives_posted);
      }
    }
  }
}

}  // namespace pipedream::detail

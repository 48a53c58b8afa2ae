// What workers do together: messages and reductions.
#include <fmt/format.h>

#include <algorithm>

#include "pipedream/error.h"
#include "schedule/simulation.h"

namespace pipedream::detail {

int Simulation::channel_of(const Action& message) const {
  for (const SimulatedPort& port : state_.ports[static_cast<std::size_t>(message.stage)]) {
    if (port.peer != message.peer) continue;
    // Most links have one channel.
    return port.first_channel + (port.cycle == 1 ? 0 : static_cast<int>(message.microbatch % port.cycle));
  }
  throw ConfigError(fmt::format("{}: there are no costs of a link between these stages", to_string(message)));
}

void Simulation::post_message(SimulatedRun& worker, const Action& action) {
  const int id = channel_of(action);
  SimulatedChannel& channel = state_.channels[static_cast<std::size_t>(id)];
  worker.now += costs_.post_us;
  if (action.kind == ActionKind::send_post) {
    channel.messages[channel.sends_posted++].send_posted = worker.now;
    memory_.post_send(id);
  } else {
    channel.messages[channel.receives_posted++].receive_posted = worker.now;
    memory_.post_receive(id);
  }
  start_message(id, 0);
}

// The next message of the channel, where it can.
void Simulation::start_message(int id, double not_before) {
  SimulatedChannel& channel = state_.channels[static_cast<std::size_t>(id)];
  if (channel.started > channel.ended) return;
  if (channel.started == std::min(channel.sends_posted, channel.receives_posted)) return;
  const SimulatedMessage& message = channel.messages[channel.started++];
  state_.flows.start(id, std::max({message.send_posted, message.receive_posted, not_before}), channel.bytes);
}

void Simulation::end_message(int id, double time) {
  SimulatedChannel& channel = state_.channels[static_cast<std::size_t>(id)];
  SimulatedMessage& message = channel.messages[channel.ended++];
  message.left = time;
  message.arrived = time + channel.latency;
  start_message(id, time);
  wake(channel.receiver, id);
  wake(channel.sender, id);
}

bool Simulation::wait_for_send(SimulatedRun& worker, const Action& action) {
  const int id = channel_of(action);
  SimulatedChannel& channel = state_.channels[static_cast<std::size_t>(id)];
  if (channel.sends_waited >= channel.ended) return block(worker, id);
  const double left = channel.messages[channel.sends_waited++].left;
  memory_.wait_for_send(id);
  channel.messages.drop_before(std::min(channel.sends_waited, channel.receives_waited));
  return wait_until(worker, left, &SimulatedWorker::send_wait_us);
}

bool Simulation::wait_for_receive(SimulatedRun& worker, const Action& action) {
  const int id = channel_of(action);
  SimulatedChannel& channel = state_.channels[static_cast<std::size_t>(id)];
  if (channel.receives_waited >= channel.ended) return block(worker, id);
  const double arrived = channel.messages[channel.receives_waited++].arrived;
  channel.messages.drop_before(std::min(channel.sends_waited, channel.receives_waited));
  return wait_until(
      worker, arrived,
      action.stage < action.peer ? &SimulatedWorker::activation_wait_us : &SimulatedWorker::gradient_wait_us);
}

void Simulation::post_reduction(SimulatedRun& worker, const Action& action) {
  SimulatedGroup& group = group_of(action);
  worker.now += costs_.post_us;
  memory_.post_reduction(action, worker);
  SimulatedReduction& reduction = group.reductions[action.version - 1];
  reduction.last_post = std::max(reduction.last_post, worker.now);
  if (++reduction.posted < static_cast<int>(group.members.size())) return;
  ++group.complete;
  start_reduction(group, 0);
}

void Simulation::start_reduction(SimulatedGroup& group, double not_before) {
  if (group.started > group.ended || group.started == group.complete) return;
  const double last_post = group.reductions[group.started++].last_post;
  state_.flows.start(group.flow, std::max(last_post, not_before), group.bytes);
}

void Simulation::end_reduction(SimulatedGroup& group, double time) {
  group.reductions[group.ended++].ended = time + group.latency;
  start_reduction(group, time);
  for (const int member : group.members) wake(member, group.flow);
}

bool Simulation::wait_for_reduction(SimulatedRun& worker, const Action& action) {
  SimulatedGroup& group = group_of(action);
  if (action.version > group.ended) return block(worker, group.flow);
  SimulatedReduction& reduction = group.reductions[action.version - 1];
  const double ended = reduction.ended;
  // Waits of a member come in order, so that of the last member is the last of all.
  if (++reduction.waited == static_cast<int>(group.members.size())) group.reductions.drop_before(action.version);
  return wait_until(worker, ended, &SimulatedWorker::reduction_wait_us);
}

bool Simulation::wait_until(SimulatedRun& worker, double time, Cause cause) {
  if (time > worker.now) {
    worker.figures.*cause += time - worker.now;
    worker.now = time;
  }
  return true;
}

bool Simulation::block(SimulatedRun& worker, int flow) {
  worker.waits_for = flow;
  return false;
}

void Simulation::wake(int id, int flow) {
  SimulatedRun& worker = state_.workers[static_cast<std::size_t>(id)];
  if (worker.waits_for != flow) return;
  worker.waits_for = -1;
  run_worker(id);
}

}  // namespace pipedream::detail

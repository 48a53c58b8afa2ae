#include "schedule/simulated_memory.h"

#include <algorithm>

#include "schedule/message_memory.h"

namespace pipedream::detail {
namespace {

int channel_of(const SimulatedPort& port, std::int64_t microbatch) {
  return port.first_channel + (port.cycle == 1 ? 0 : static_cast<int>(microbatch % port.cycle));
}

}  // namespace

SimulatedMemory::SimulatedMemory(const Plan& plan, const SimulationCosts& costs, Pass pass, SimulationState& state)
    : costs_(costs),
      trains_(pass != Pass::forward_only),
      state_(state),
      sums_(state.workers.size()),
      arrivals_(plan.stages.size()) {
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePlan& stage = plan.stages[s];
    recomputes_.push_back(stage.recompute);
    is_replicated_.push_back(stage.replicas() > 1);
    for (const int member : stage.workers) {
      SimulatedRun& worker = state_.workers[static_cast<std::size_t>(member)];
      sums_[static_cast<std::size_t>(member)].push_back({static_cast<int>(s)});
      worker.held_bytes += costs.stages[s].version_bytes + costs.stages[s].resident_bytes;
      if (!costs.topology.one_process) worker.held_bytes += summed_bytes(stage, costs.stages[s].version_bytes);
    }
  }
  if (costs.topology.one_process) return;
  for (const SimulatedChannel& channel : state.channels) {
    ends_.push_back({.bytes = static_cast<std::int64_t>(channel.bytes)});
  }
  for (std::size_t s = 0; s < state.ports.size(); ++s) {
    for (SimulatedPort port : state.ports[s]) {
      const auto receiver = static_cast<std::size_t>(port.peer);
      port.peer = static_cast<int>(s);
      arrivals_[receiver].push_back(port);
    }
  }
}

void SimulatedMemory::change_sent(int channel, int sent, int in_flight) {
  if (ends_.empty()) return;
  Ends& ends = ends_[static_cast<std::size_t>(channel)];
  const std::int64_t before = ends.at_sender();
  ends.sent += sent;
  ends.sent_in_flight += in_flight;
  const auto sender = static_cast<std::size_t>(state_.channels[static_cast<std::size_t>(channel)].sender);
  state_.workers[sender].held_bytes += ends.at_sender() - before;
}

void SimulatedMemory::change_received(int channel, int received, int in_flight) {
  if (ends_.empty()) return;
  Ends& ends = ends_[static_cast<std::size_t>(channel)];
  const std::int64_t before = ends.at_receiver();
  ends.received += received;
  ends.received_in_flight += in_flight;
  if (ends.bytes >= kLeastKeptBytes) ends.kept = std::max(ends.kept, ends.received);
  const auto receiver = static_cast<std::size_t>(state_.channels[static_cast<std::size_t>(channel)].receiver);
  state_.workers[receiver].held_bytes += ends.at_receiver() - before;
}

void SimulatedMemory::change_arrived(const Action& action, bool activations, int received, int in_flight) {
  for (const SimulatedPort& port : arrivals_[static_cast<std::size_t>(action.stage)]) {
    if ((port.peer < action.stage) != activations) continue;
    change_received(channel_of(port, action.microbatch), received, in_flight);
  }
}

void SimulatedMemory::change_left(const Action& action, int in_flight) {
  if (recomputes(action)) return;
  for (const SimulatedPort& port : state_.ports[static_cast<std::size_t>(action.stage)]) {
    if (port.peer > action.stage) change_sent(channel_of(port, action.microbatch), 0, in_flight);
  }
}

void SimulatedMemory::begin_forward(const Action& action, SimulatedRun& worker) {
  if (trains_) {
    worker.held_bytes += costs_of(action).in_flight_bytes;
    if (!recomputes(action)) change_arrived(action, true, 0, 1);
    change_left(action, 1);
  }
  note_peak(worker, costs_of(action).forward_transient_bytes);
}

void SimulatedMemory::end_forward(const Action& action, SimulatedRun&) {
  // What came in is copied to be computed again.
  if (!trains_ || recomputes(action)) change_arrived(action, true, -1, 0);
}

void SimulatedMemory::begin_backward(const Action& action, SimulatedRun& worker) {
  // The transient bytes of a backward have the gradients that came in.
  change_arrived(action, false, 0, 1);
  note_peak(worker, costs_of(action).backward_transient_bytes);
}

void SimulatedMemory::end_backward(const Action& action, SimulatedRun& worker) {
  worker.held_bytes -= costs_of(action).in_flight_bytes;
  change_arrived(action, false, -1, -1);
  if (!recomputes(action)) change_arrived(action, true, -1, -1);
  change_left(action, -1);
  hold_sum(action, worker);
}

SimulatedMemory::Sums& SimulatedMemory::sums_of(const Action& action, const SimulatedRun& worker) {
  std::vector<Sums>& hosted = sums_[static_cast<std::size_t>(&worker - state_.workers.data())];
  return *std::find_if(hosted.begin(), hosted.end(), [&](const Sums& sums) { return sums.stage == action.stage; });
}

void SimulatedMemory::change_sums(const Action& action, SimulatedRun& worker, int live) {
  Sums& sums = sums_of(action, worker);
  const int before = std::max(sums.live, sums.kept);
  sums.live += live;
  if (is_replicated(action)) sums.kept = std::max(sums.kept, sums.live);
  worker.held_bytes += (std::max(sums.live, sums.kept) - before) * costs_of(action).version_bytes;
}

void SimulatedMemory::hold_sum(const Action& action, SimulatedRun& worker) {
  Sums& sums = sums_of(action, worker);
  if (!sums.open) change_sums(action, worker, 1);
  sums.open = true;
}

void SimulatedMemory::post_reduction(const Action& action, SimulatedRun& worker) {
  hold_sum(action, worker);  // a replica without a microbatch in the update adds zeros
  sums_of(action, worker).open = false;
}

void SimulatedMemory::begin_update(const Action& action, SimulatedRun& worker) {
  note_peak(worker, costs_of(action).update_transient_bytes);
}

void SimulatedMemory::end_update(const Action& action, SimulatedRun& worker) {
  change_sums(action, worker, -1);
  if (!is_replicated(action)) sums_of(action, worker).open = false;
}

void SimulatedMemory::note_peak(SimulatedRun& worker, std::int64_t transient_bytes) {
  worker.figures.peak_bytes = std::max(worker.figures.peak_bytes, worker.held_bytes + transient_bytes);
}

}  // namespace pipedream::detail

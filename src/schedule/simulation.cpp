#include "schedule/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

std::int64_t nanoseconds(double us) { return std::llround(us * 1000); }

}  // namespace

Simulation::Simulation(const Program& program, const Plan& plan, const Segment& segment, const SimulationCosts& costs,
                       const SimulationOptions& options)
    : costs_(costs),
      segment_(segment),
      state_(program, plan, costs),
      memory_(plan, costs, segment.pass, state_),
      ends_(plan.stages.size()),
      records_(options.record) {
  for (auto& ends : ends_) ends.reserve(static_cast<std::size_t>(segment.microbatches));
  if (!records_) return;
  timeline_.workers.resize(program.workers.size());
  timeline_.dropped.resize(program.workers.size());
}

void Simulation::run() {
  const int channels = static_cast<int>(state_.channels.size());
  for (std::size_t worker = 0; worker < state_.workers.size(); ++worker) run_worker(static_cast<int>(worker));
  while (const auto end = state_.flows.next_end()) {
    if (end->flow < channels) {
      end_message(end->flow, end->time);
    } else {
      end_reduction(state_.groups[static_cast<std::size_t>(end->flow - channels)], end->time);
    }
  }
  check_all_ended();
}

void Simulation::run_worker(int id) {
  SimulatedRun& worker = state_.workers[static_cast<std::size_t>(id)];
  while (true) {
    if (!worker.current.has_value()) worker.current = worker.cursor.next();
    if (!worker.current.has_value()) return;
    const double start = worker.now;
    if (!execute(worker, *worker.current)) return;
    if (records_) {
      timeline_.workers[static_cast<std::size_t>(id)].push_back(
          {*worker.current, nanoseconds(start), nanoseconds(worker.now)});
    }
    worker.current.reset();
  }
}

bool Simulation::execute(SimulatedRun& worker, const Action& action) {
  switch (action.kind) {
    case ActionKind::forward:
      forward(worker, action);
      return true;
    case ActionKind::backward:
      backward(worker, action);
      return true;
    case ActionKind::update:
      update(worker, action);
      return true;
    case ActionKind::reduce_post:
      post_reduction(worker, action);
      return true;
    case ActionKind::reduce_wait:
      return wait_for_reduction(worker, action);
    case ActionKind::send_post:
    case ActionKind::receive_post:
      post_message(worker, action);
      return true;
    case ActionKind::send_wait:
      return wait_for_send(worker, action);
    case ActionKind::receive_wait:
      return wait_for_receive(worker, action);
  }
  return true;
}

void Simulation::compute(SimulatedRun& worker, double us) {
  worker.now += us;
  worker.figures.compute_us += us;
}

void Simulation::forward(SimulatedRun& worker, const Action& action) {
  if (segment_.pass != Pass::forward_only) {
    worker.figures.peak_in_flight = std::max(worker.figures.peak_in_flight, ++worker.in_flight);
  }
  memory_.begin_forward(action, worker);
  compute(worker, costs_of(action).forward_us);
  memory_.end_forward(action, worker);
  if (segment_.pass == Pass::forward_only) note_end(worker, action);
  free_version(worker, action);
}

void Simulation::backward(SimulatedRun& worker, const Action& action) {
  memory_.begin_backward(action, worker);
  compute(worker, costs_of(action).backward_us);
  --worker.in_flight;
  memory_.end_backward(action, worker);
  note_end(worker, action);
  free_version(worker, action);
}

void Simulation::update(SimulatedRun& worker, const Action& action) {
  if (action.copies_version) {
    ++worker.versions;
    worker.held_bytes += costs_of(action).version_bytes;
    worker.figures.peak_versions = std::max(worker.figures.peak_versions, worker.versions);
  }
  memory_.begin_update(action, worker);
  compute(worker, costs_of(action).update_us);
  memory_.end_update(action, worker);
}

void Simulation::free_version(SimulatedRun& worker, const Action& action) {
  if (!action.frees_version) return;
  --worker.versions;
  worker.held_bytes -= costs_of(action).version_bytes;
}

void Simulation::note_end(const SimulatedRun& worker, const Action& action) {
  ends_[static_cast<std::size_t>(action.stage)].push_back(worker.now);
}

void Simulation::check_all_ended() const {
  for (std::size_t w = 0; w < state_.workers.size(); ++w) {
    const SimulatedRun& worker = state_.workers[w];
    if (worker.current.has_value()) {
      throw ConfigError(fmt::format("worker {} waits for ever at action {}, {}: the program is not valid", w,
                                    worker.cursor.position() - 1, to_string(*worker.current)));
    }
  }
}

}  // namespace pipedream::detail

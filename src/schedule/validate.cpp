#include "pipedream/validate.h"

#include <fmt/format.h>

#include "pipedream/error.h"
#include "schedule/action_replay.h"
#include "schedule/recurrence.h"
#include "schedule/replay_state.h"

namespace pipedream {
namespace {

using detail::ReplayState;
using detail::WorkerState;

// Goes on until the worker waits, reaches the limit or ends.
void run_worker(ReplayState& state, int id, std::int64_t limit) {
  WorkerState& worker = state.workers[static_cast<std::size_t>(id)];
  while (worker.position() < limit) {
    if (!worker.current.has_value()) {
      worker.current = worker.cursor.next();
    }
    if (!detail::ActionReplay(state, id).run()) {
      return;
    }
    worker.current.reset();
    ++state.actions_replayed;
  }
}

void run_step(ReplayState& state, const detail::Recurrence& recurrence) {
  for (std::size_t w = state.workers.size(); w-- > 0;) {
    state.workers[w].is_waiting = false;
    state.ready.push_back(static_cast<int>(w));
  }
  while (!state.ready.empty()) {
    const int worker = state.ready.back();
    state.ready.pop_back();
    run_worker(state, worker, recurrence.limit(worker));
  }
}

void check_all_ended(ReplayState& state) {
  for (const WorkerState& worker : state.workers) {
    if (worker.is_waiting) {
      detail::fail_deadlocked(state);
    }
  }
  for (std::size_t worker = 0; worker < state.workers.size(); ++worker) {
    detail::check_end(state, static_cast<int>(worker));
  }
}

}  // namespace

ValidationReport validate(const Program& program, const Plan& plan, std::span<const StageLink> links,
                          const Segment& segment) {
  validate(plan);
  if (program.workers.size() != static_cast<std::size_t>(plan.workers())) {
    throw ConfigError(fmt::format("a program of {} workers for a plan of {}", program.workers.size(), plan.workers()));
  }
  if (segment.microbatches < 0) {
    throw ConfigError(fmt::format("a segment of {} microbatches", segment.microbatches));
  }
  ReplayState state(program, plan, links, segment);
  detail::Recurrence recurrence(state);
  do {
    run_step(state, recurrence);
  } while (recurrence.next_step());
  check_all_ended(state);

  ValidationReport report;
  report.actions_replayed = state.actions_replayed;
  for (const WorkerState& worker : state.workers) {
    report.peak_versions.push_back(static_cast<int>(worker.peak_versions));
    report.peak_in_flight.push_back(static_cast<int>(worker.peak_in_flight));
  }
  return report;
}

}  // namespace pipedream

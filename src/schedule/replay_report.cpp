// The texts of what a replay found.
#include <fmt/format.h>

#include <algorithm>

#include "pipedream/error.h"
#include "planning/text_table.h"
#include "schedule/replay_state.h"

namespace pipedream::detail {
namespace {

constexpr std::int64_t kColumnsBefore = 4;
constexpr std::int64_t kColumnsAfter = 3;

std::string name_of(const ReplayState& state, int worker) { return worker_name(worker, places_of(state.plan, worker)); }

// The workers that a worker exchanges messages with, and itself, in plan order; at most six of the others.
std::vector<int> neighbourhood(const ReplayState& state, int worker) {
  std::vector<int> found = {worker};
  const WorkerState& w = state.workers[static_cast<std::size_t>(worker)];
  for (std::size_t p = w.first_port; p < w.end_port; ++p) {
    const Port& port = state.ports[p];
    const int peer_stage = port.is_sender ? port.receiver_stage : port.sender_stage;
    for (const int peer : state.stages[static_cast<std::size_t>(peer_stage)].workers) {
      if (found.size() < 7 && std::find(found.begin(), found.end(), peer) == found.end()) {
        found.push_back(peer);
      }
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

TableRow row(const ReplayState& state, int worker) {
  const WorkerProgram& program = state.program.workers[static_cast<std::size_t>(worker)];
  const std::int64_t here = state.workers[static_cast<std::size_t>(worker)].position();
  TableRow cells = {"  " + name_of(state, worker)};
  for (std::int64_t i = here - kColumnsBefore; i <= here + kColumnsAfter; ++i) {
    const bool exists = i >= 0 && i < program.size();
    const std::string text = exists ? to_string(program.at(i)) : i == program.size() ? "end" : "";
    cells.push_back(i == here ? "[" + text + "]" : " " + text + " ");
  }
  return cells;
}

// A line a worker: what it has just done, in brackets where it stands, and what would follow.
std::string grid(const ReplayState& state, int worker) {
  std::vector<TableRow> rows;
  for (const int w : neighbourhood(state, worker)) rows.push_back(row(state, w));
  std::string text = "\n" + text_table(rows, rows.front().size());
  text.pop_back();
  return text;
}

std::string peer_of_wait(const ReplayState& state, int peer) {
  const WorkerState& w = state.workers[static_cast<std::size_t>(peer)];
  const bool has_ended = !w.current.has_value();
  return fmt::format("worker {}{}", peer, has_ended ? ", which has ended" : "");
}

std::string missing_replicas(const ReplayState& state, int stage, std::int64_t reduction) {
  std::string names;
  for (const int replica : state.stages[static_cast<std::size_t>(stage)].workers) {
    if (state.replica_of(stage, replica).reductions_posted <= reduction) {
      names += (names.empty() ? "" : " and ") + peer_of_wait(state, replica);
    }
  }
  return names;
}

std::string describe_wait(const ReplayState& state, int worker) {
  const WorkerState& w = state.workers[static_cast<std::size_t>(worker)];
  Action awaited = *w.current;
  std::string peers;
  if (awaited.kind == ActionKind::reduce_wait) {
    awaited.kind = ActionKind::reduce_post;
    peers = missing_replicas(state, awaited.stage, state.replica_of(awaited.stage, worker).reductions_waited);
  } else {
    const bool is_send = awaited.kind == ActionKind::send_wait;
    awaited.kind = is_send ? ActionKind::receive_post : ActionKind::send_post;
    peers = peer_of_wait(state, is_send ? w.waits_on->receiver : w.waits_on->sender);
  }
  return fmt::format("\n  {}, action {}, {}: waits for {} of {}", name_of(state, worker), w.position(),
                     to_string(*w.current), to_string(awaited), peers);
}

}  // namespace

void fail_at(const ReplayState& state, int worker, const std::string& problem) {
  const WorkerState& w = state.workers[static_cast<std::size_t>(worker)];
  const std::string action =
      w.current.has_value() ? fmt::format("action {}, {}", w.position(), to_string(*w.current)) : "at its end";
  throw ConfigError(fmt::format("{}, {}: {}{}", name_of(state, worker), action, problem, grid(state, worker)));
}

void fail_deadlocked(ReplayState& state) {
  std::string text = "deadlock: no worker can go on";
  int first = -1;
  for (int worker = 0; worker < static_cast<int>(state.workers.size()); ++worker) {
    if (state.workers[static_cast<std::size_t>(worker)].is_waiting) {
      text += describe_wait(state, worker);
      first = first < 0 ? worker : first;
    }
  }
  throw ConfigError(text + "\naround " + name_of(state, first) + ":" + grid(state, first));
}

}  // namespace pipedream::detail

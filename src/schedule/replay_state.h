// Where the replay of a program stands: flat arrays, one entry a worker, a stage that a worker hosts, a port or a
// channel.
//
// Counters say everything, because the order is fixed: a worker passes forward, and backward, through its microbatches
// of a stage in ascending order, so the j-th message of a channel and the n-th message of a port are known by their
// number.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "pipedream/validate.h"
#include "schedule/share.h"
#include "schedule/version_table.h"

namespace pipedream::detail {

// What the plan demands of a stage's workers.
struct StageRule {
  std::int64_t replicas = 1;
  bool has_backward = false;
  bool has_update = false;
  VersionTables tables;
  std::int64_t updates = 0;
  std::int64_t most_versions = 1;
  std::int64_t most_in_flight = 1;
  std::int64_t most_reductions = 1;
  std::vector<int> workers;
  // Replicas that have posted reduction u, at u % size; workers are never further apart.
  std::vector<std::int64_t> posted = std::vector<std::int64_t>(4, 0);
  std::int64_t reduced = 0;  // reductions that all replicas have posted

  std::int64_t version(const VersionTable& table, const Share& share, std::int64_t i) const {
    return has_update ? table.version(share.microbatch(i)) : 0;
  }
  // Whether one of the worker's forwards or backwards from these on names a version.
  bool is_named_from(const Share& share, std::int64_t forwards, std::int64_t backwards, std::int64_t version) const;
};

// One direction of a link between two workers.
struct Channel {
  std::int64_t sends_posted = 0;
  std::int64_t sends_waited = 0;
  std::int64_t receives_posted = 0;
  std::int64_t receives_waited = 0;
  int sender = 0;
  int receiver = 0;
  std::int64_t cycle = 1;  // microbatches from one of its messages to the next
};

// A hosted stage's end of a link in one direction. Microbatch k is message k / cycle of channel first_channel + k %
// cycle.
struct Port {
  int sender_stage = 0;
  int receiver_stage = 0;
  bool is_sender = false;
  int first_channel = 0;
  std::int64_t cycle = 1;
  std::int64_t slots = 1;
  std::int64_t done = 0;  // sends posted or receives waited for

  bool carries_activations() const { return sender_stage < receiver_stage; }
};

// A stage that a worker hosts.
struct HostedStage {
  int stage = 0;
  Share share;
  std::int64_t own = 0;  // microbatches
  std::size_t first_port = 0, end_port = 0;
  std::int64_t activation_sends = 0, gradient_sends = 0;  // ports
  std::int64_t forwards = 0, backwards = 0, updates = 0, reductions_posted = 0, reductions_waited = 0;
  // Superseded versions that are kept: version v at kept[v % size], -1 elsewhere.
  std::vector<std::int64_t> kept;
  std::int64_t versions = 1;  // held, the newest included

  std::int64_t newest() const { return updates; }
  std::int64_t& kept_slot(std::int64_t version) { return kept[static_cast<std::size_t>(version) % kept.size()]; }
};

// A link between two stages of one worker, which hands the tensors over itself.
struct LocalLink {
  std::size_t from = 0, to = 0;  // hosted stages
  bool gradient = true;
};

struct WorkerState {
  explicit WorkerState(const WorkerProgram& program) : cursor(program) {}

  ActionCursor cursor;
  std::optional<Action> current;  // read but not yet done
  std::size_t first_hosted = 0, end_hosted = 0;
  std::size_t first_port = 0, end_port = 0;  // of all its stages
  std::vector<LocalLink> local_links;
  std::int64_t pending_sends = 0;  // made but not yet posted
  // Of all its stages together.
  std::int64_t versions = 0, in_flight = 0;
  std::int64_t peak_versions = 0, peak_in_flight = 0;
  bool is_waiting = false;
  const Channel* waits_on = nullptr;  // nullptr: a reduction

  // Actions done.
  std::int64_t position() const { return cursor.position() - (current.has_value() ? 1 : 0); }
};

struct ReplayState {
  ReplayState(const Program& program, const Plan& plan, std::span<const StageLink> links, const Segment& segment);

  const Program& program;
  const Plan& plan;
  const Segment segment;
  std::vector<StageRule> stages;
  std::vector<WorkerState> workers;
  std::vector<HostedStage> hosted;  // by worker
  std::vector<Port> ports;          // by hosted stage
  std::vector<Channel> channels;
  std::vector<int> ready;  // workers that may be able to go on
  std::int64_t actions_replayed = 0;

  // Where in `hosted` the worker's part of a stage is; that of its first one where it does not have the stage.
  std::size_t hosted_index(const WorkerState& worker, int stage) const {
    for (std::size_t h = worker.first_hosted; h < worker.end_hosted; ++h) {
      if (hosted[h].stage == stage) return h;
    }
    return worker.first_hosted;
  }
  const HostedStage& replica_of(int stage, int worker) const {
    return hosted[hosted_index(workers[static_cast<std::size_t>(worker)], stage)];
  }
  // nullptr where the message is not one of the stage's.
  Port* port_of(const HostedStage& stage, const Action& message);
  Channel& channel_of(const Port& port, std::int64_t microbatch) {
    return channels[static_cast<std::size_t>(port.first_channel + microbatch % port.cycle)];
  }
};

// Throws ConfigError where a worker that has done all its actions has left something undone.
void check_end(ReplayState& state, int worker);

// "worker 1 (stage 1, replica 0), action 17, B1.3@v2: ..." with the worker's and its neighbours' actions around it.
[[noreturn]] void fail_at(const ReplayState& state, int worker, const std::string& problem);

// Throws: every worker that waits, for what and whom.
[[noreturn]] void fail_deadlocked(ReplayState& state);

}  // namespace pipedream::detail

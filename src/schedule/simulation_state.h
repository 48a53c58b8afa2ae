// Where a simulation stands: flat arrays, one entry a worker, a channel or a stage. Times are microseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pipedream/simulate.h"
#include "schedule/flows.h"
#include "schedule/link_tree.h"
#include "schedule/window.h"

namespace pipedream::detail {

struct SimulatedMessage {
  double send_posted = 0, receive_posted = 0;
  double left = 0;     // the sender: its send is complete
  double arrived = 0;  // at the receiver
};

// One direction of a link between two workers; its messages are a flow.
struct SimulatedChannel {
  int sender = 0, receiver = 0;
  double bytes = 0;  // of a message
  double latency = 0;
  Window<SimulatedMessage> messages;
  std::int64_t sends_posted = 0, receives_posted = 0, sends_waited = 0, receives_waited = 0;
  std::int64_t started = 0, ended = 0;
};

struct SimulatedReduction {
  int posted = 0, waited = 0;  // members
  double last_post = 0;
  double ended = 0;
};

// The replicas of a stage; their reductions are a flow.
struct SimulatedGroup {
  std::vector<int> members;  // workers
  int flow = 0;
  double bytes = 0;  // over each member's links
  double latency = 0;
  Window<SimulatedReduction> reductions;  // by the version that they make - 1
  std::int64_t complete = 0;              // posted by all members
  std::int64_t started = 0, ended = 0;
};

// What a stage sends to a peer. Microbatch k is on channel first_channel + k % cycle.
struct SimulatedPort {
  int peer = 0;
  int first_channel = 0;
  std::int64_t cycle = 1;
};

struct SimulatedRun {
  explicit SimulatedRun(const WorkerProgram& program) : cursor(program) {}

  ActionCursor cursor;
  std::optional<Action> current;  // read but not yet done
  double now = 0;
  int waits_for = -1;  // flow
  int versions = 0, in_flight = 0;
  std::int64_t held_bytes = 0;
  SimulatedWorker figures;
};

struct SimulationState {
  // Throws ConfigError for costs that do not fit.
  SimulationState(const Program& program, const Plan& plan, const SimulationCosts& costs);

  Flows flows;  // of the channels, by index, then of the groups
  LinkTree tree;
  std::vector<SimulatedChannel> channels;
  std::vector<SimulatedGroup> groups;             // by stage
  std::vector<std::vector<SimulatedPort>> ports;  // by sending stage
  std::vector<SimulatedRun> workers;

 private:
  void add_port(const Plan& plan, int sender_stage, int receiver_stage, std::int64_t bytes);
  void add_group(const StagePlan& stage, const StageCosts& costs);
};

}  // namespace pipedream::detail

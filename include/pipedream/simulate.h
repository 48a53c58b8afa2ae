// How long a program takes and what it holds, without running it: a discrete-event simulation of all workers.
//
// Model (docs/algorithms.md, "Simulation"):
// - A worker does its actions one after the other. Forward, backward and update take their stage's time, posts
//   `post_us`, waits until what they wait for.
// - A message can start when its send and its receive are posted and the message before it on the channel (one
//   direction of a link between two workers) has left its sender. It then travels while the workers compute: bytes at
//   the rate of its links, and after the last byte the latency of the level where sender and receiver meet.
// - Links form a tree: each component of a level has one link in each direction to the others of its kind (a worker its
//   port, a server its network card, a rack its uplink). A message takes the outgoing links of the sender's side and
//   the incoming ones of the receiver's, up to the level where they meet. A link divides its bandwidth equally among
//   the transfers that use it; a transfer goes at the least of its shares, and what it leaves of the others nobody
//   gets.
// - A reduction starts when all replicas of the stage have posted it and the stage's reduction before it has ended: a
//   ring, 2 (r - 1) / r of the bytes over every member's links, at most at the rate that was measured for reductions
//   (which has its latency in it), else with 2 (r - 1) times the latency.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipedream/plan.h"
#include "pipedream/program.h"
#include "pipedream/schedule.h"
#include "pipedream/state_factors.h"
#include "pipedream/timeline.h"
#include "pipedream/topology.h"

namespace pipedream {

// Of one replica of a stage, and one microbatch where that matters.
struct StageCosts {
  double forward_us = 0;
  double backward_us = 0;
  double update_us = 0;
  std::int64_t version_bytes = 0;    // of one version of the weights; also of a sum of gradients, which is reduced
  std::int64_t in_flight_bytes = 0;  // kept from a forward to its backward
  std::int64_t resident_bytes = 0;   // held all the time beside them: optimizer, buffers
  // The greatest extra allocation of each action.
  std::int64_t forward_transient_bytes = 0;
  std::int64_t backward_transient_bytes = 0;
  std::int64_t update_transient_bytes = 0;
  // Held between microbatches at most, where there is no simulation to tell: sums of gradients; messages received
  // ahead, and sent but still to be waited for.
  std::int64_t most_gradient_bytes = 0;
  std::int64_t most_message_bytes = 0;
};

// What one microbatch sends over a link: activations to the later stage, gradients back.
struct LinkCosts {
  int from = 0;
  int to = 0;
  std::int64_t forward_bytes = 0;
  std::int64_t backward_bytes = 0;
};

struct SimulationCosts {
  std::vector<StageCosts> stages;
  std::vector<LinkCosts> links;
  // Worker w of the plan is worker w of the topology. Without levels communication takes no time.
  Topology topology;
  double post_us = 0;  // of the host, for each post of a message or reduction
};

// The costs of a plan as a profile measured them; update_us stays 0, which no profile has. Throws ConfigError where
// plan, profile and topology do not fit each other.
SimulationCosts simulation_costs(const Plan& plan, const Profile& profile, const Topology& topology,
                                 StateFactors state_factors = {});

// A run that is long enough for its steady state to show: whole updates, at least four times what is in flight.
Segment steady_segment(const Plan& plan);

struct SimulationOptions {
  bool record = false;  // SimulationReport::timeline, 48 bytes an action
};

struct SimulatedWorker {
  double compute_us = 0;  // forwards, backwards, updates
  // Waiting, by what for.
  double activation_wait_us = 0;
  double gradient_wait_us = 0;
  double reduction_wait_us = 0;
  double send_wait_us = 0;
  int peak_versions = 0;   // of the weights, the newest included; of all stages that the worker has
  int peak_in_flight = 0;  // microbatches between forward and backward, of all its stages
  std::int64_t peak_bytes = 0;
};

struct SimulationReport {
  std::int64_t actions = 0;
  double total_us = 0;  // until the last worker is done
  // As in TimelineFigures, but of the slowest stage: in a deep pipeline later stages go on for long with what the first
  // ones were ahead at the start, and seem faster than a long run is.
  double microbatch_us = 0;
  std::vector<double> utilisation;  // by worker: compute / total
  double bubble = 0;                // 1 - mean utilisation
  std::vector<SimulatedWorker> workers;
  // No order of actions could be faster than the busiest worker, link or reduction group.
  double bound_us = 0;   // its time per microbatch
  std::string bound_by;  // "compute of stage 1", "outgoing link of worker 3", "all-reduce of stage 0"
  // What microbatch_us is due to: bound_by where that is reached within 2%, else what the busiest worker waits for
  // most: "gradients that stage 1 waits for".
  std::string limited_by;
  Timeline timeline;  // where SimulationOptions::record is set; time 0 is the start
};

// The program is taken to be valid (pipedream/validate.h), as many workers as it has; which stage an action is of is
// what the action says, which worker has a stage is what the plan says. Time proportional to the number of actions, at
// more than 5 million a second. Throws ConfigError: costs that do not fit the plan (stages, links, workers of the
// topology; negative or not finite), a message over a link without costs, a wait that never ends.
SimulationReport simulate(const Program& program, const Plan& plan, const Segment& segment,
                          const SimulationCosts& costs, const SimulationOptions& options = {});

}  // namespace pipedream

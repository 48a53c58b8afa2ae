// The simulation's events. Workers run ahead of each other until they have to wait; only transfers are taken in the
// order of time, since they share links. That is sound because a post never stands before the latest end: a worker
// that waits goes on at that end or later.
#pragma once

#include "schedule/simulated_memory.h"
#include "schedule/simulation_state.h"

namespace pipedream::detail {

class Simulation {
 public:
  Simulation(const Program& program, const Plan& plan, const Segment& segment, const SimulationCosts& costs,
             const SimulationOptions& options);

  // Throws ConfigError for a wait that never ends and a message without costs.
  void run();

  const SimulationState& state() const { return state_; }
  // By stage: when it was done with each microbatch, as its workers come to it.
  const std::vector<std::vector<double>>& ends() const { return ends_; }
  Timeline take_timeline() { return std::move(timeline_); }

 private:
  using Cause = double SimulatedWorker::*;

  void run_worker(int id);
  // False where the action must wait; waits_for is then set.
  bool execute(SimulatedRun& worker, const Action& action);
  void forward(SimulatedRun& worker, const Action& action);
  void backward(SimulatedRun& worker, const Action& action);
  void update(SimulatedRun& worker, const Action& action);
  static void compute(SimulatedRun& worker, double us);
  void free_version(SimulatedRun& worker, const Action& action);
  void note_end(const SimulatedRun& worker, const Action& action);

  int channel_of(const Action& message) const;
  void post_message(SimulatedRun& worker, const Action& action);
  bool wait_for_send(SimulatedRun& worker, const Action& action);
  bool wait_for_receive(SimulatedRun& worker, const Action& action);
  void start_message(int id, double not_before);
  void end_message(int id, double time);

  SimulatedGroup& group_of(const Action& reduction) { return state_.groups[static_cast<std::size_t>(reduction.stage)]; }
  void post_reduction(SimulatedRun& worker, const Action& action);
  bool wait_for_reduction(SimulatedRun& worker, const Action& action);
  void start_reduction(SimulatedGroup& group, double not_before);
  void end_reduction(SimulatedGroup& group, double time);

  static bool wait_until(SimulatedRun& worker, double time, Cause cause);
  static bool block(SimulatedRun& worker, int flow);
  void wake(int id, int flow);
  void check_all_ended() const;

  const StageCosts& costs_of(const Action& action) const {
    return costs_.stages[static_cast<std::size_t>(action.stage)];
  }

  const SimulationCosts& costs_;
  const Segment segment_;
  SimulationState state_;
  SimulatedMemory memory_;
  std::vector<std::vector<double>> ends_;
  bool records_;
  Timeline timeline_;
};

}  // namespace pipedream::detail

// The bytes that each worker of a simulation holds. They follow from the order of its own actions alone.
//
// A worker holds its versions and what is resident; a microbatch between forward and backward; a sum of gradients from
// the first backward of an update to the update; and messages between processes: a receive has its memory from the
// moment it is posted, and a send holds its tensors until somebody has waited for it. Tensors of a message that a
// microbatch in flight holds anyway (StageCosts::in_flight_bytes) count there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "schedule/simulation_state.h"

namespace pipedream::detail {

class SimulatedMemory {
 public:
  // `state` and `costs` must outlive this.
  SimulatedMemory(const Plan& plan, const SimulationCosts& costs, Pass pass, SimulationState& state);

  void post_send(int channel) { change_sent(channel, 1, 0); }
  void wait_for_send(int channel) { change_sent(channel, -1, 0); }
  void post_receive(int channel) { change_received(channel, 1, 0); }
  void post_reduction(const Action& action, SimulatedRun& worker);

  // Around the compute actions; the peak is noted between the two.
  void begin_forward(const Action& action, SimulatedRun& worker);
  void end_forward(const Action& action, SimulatedRun& worker);
  void begin_backward(const Action& action, SimulatedRun& worker);
  void end_backward(const Action& action, SimulatedRun& worker);
  void begin_update(const Action& action, SimulatedRun& worker);
  void end_update(const Action& action, SimulatedRun& worker);

 private:
  // Messages of a channel at its two ends.
  struct Ends {
    std::int64_t bytes = 0;  // of a message
    int sent = 0;            // and not waited for
    int sent_in_flight = 0;  // which in_flight_bytes counts
    int received = 0;        // posted, or arrived and still used
    int received_in_flight = 0;
    int kept = 0;  // messages that the receiving channel has memory for

    std::int64_t at_sender() const { return std::max(sent - sent_in_flight, 0) * bytes; }
    std::int64_t at_receiver() const { return (std::max(received, kept) - received_in_flight) * bytes; }
  };
  // A stage of a worker.
  struct Sums {
    int stage = 0;
    bool open = false;  // the next backward adds to a sum that is there
    int live = 0;
    int kept = 0;  // replicas keep the memory of a sum for the next one
  };

  const StageCosts& costs_of(const Action& action) const {
    return costs_.stages[static_cast<std::size_t>(action.stage)];
  }
  bool recomputes(const Action& action) const { return recomputes_[static_cast<std::size_t>(action.stage)]; }
  bool is_replicated(const Action& action) const { return is_replicated_[static_cast<std::size_t>(action.stage)]; }
  void change_sent(int channel, int sent, int in_flight);
  void change_received(int channel, int received, int in_flight);
  // Of the messages that a microbatch of the action brings to its stage, from earlier or from later ones.
  void change_arrived(const Action& action, bool activations, int received, int in_flight);
  // Of the activations that its stage sends.
  void change_left(const Action& action, int in_flight);
  Sums& sums_of(const Action& action, const SimulatedRun& worker);
  void change_sums(const Action& action, SimulatedRun& worker, int live);
  void hold_sum(const Action& action, SimulatedRun& worker);
  void note_peak(SimulatedRun& worker, std::int64_t transient_bytes);

  const SimulationCosts& costs_;
  const bool trains_;
  SimulationState& state_;
  std::vector<Ends> ends_;                            // by channel; none where messages take no memory
  std::vector<bool> recomputes_;                      // by stage
  std::vector<bool> is_replicated_;                   // by stage
  std::vector<std::vector<Sums>> sums_;               // by worker
  std::vector<std::vector<SimulatedPort>> arrivals_;  // by receiving stage; the peer is the sender
};

}  // namespace pipedream::detail

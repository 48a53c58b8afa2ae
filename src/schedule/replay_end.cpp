#include <fmt/format.h>

#include <algorithm>

#include "schedule/replay_state.h"

namespace pipedream::detail {

void check_end(ReplayState& state, int id) {
  WorkerState& worker = state.workers[static_cast<std::size_t>(id)];
  const StageRule& stage = state.stages[static_cast<std::size_t>(worker.stage)];
  const auto missing = [&](const char* what, std::int64_t done, std::int64_t expected) {
    if (done < expected) {
      fail_at(state, id, fmt::format("the program ends with {} of {} {} done", done, expected, what));
    }
  };
  missing("forwards", worker.forwards, worker.own);
  missing("backwards", worker.backwards, stage.has_backward ? worker.own : 0);
  missing("updates", worker.updates, stage.updates);
  missing("waits for reductions", worker.reductions_waited, worker.reductions_posted);
  for (std::size_t p = worker.first_port; p < worker.end_port; ++p) {
    const Port& port = state.ports[p];
    missing(port.is_sender ? "sends of a link" : "receives of a link", port.done, worker.own);
    for (std::int64_t i = 0; i < std::min(worker.own, port.cycle / stage.replicas); ++i) {
      const Channel& channel = state.channel_of(port, worker.share.microbatch(i));
      if (port.is_sender) {
        missing(fmt::format("waits for sends to worker {}", channel.receiver).c_str(), channel.sends_waited,
                channel.sends_posted);
      } else {
        missing(fmt::format("waits for receives from worker {}", channel.sender).c_str(), channel.receives_waited,
                channel.receives_posted);
      }
    }
  }
}

}  // namespace pipedream::detail

#include <fmt/format.h>

#include <algorithm>

#include "schedule/replay_state.h"

namespace pipedream::detail {

namespace {

void check_end_of_stage(ReplayState& state, int id, const HostedStage& own) {
  const StageRule& stage = state.stages[static_cast<std::size_t>(own.stage)];
  const auto missing = [&](const char* what, std::int64_t done, std::int64_t expected) {
    if (done < expected) {
      fail_at(state, id, fmt::format("the program ends with {} of {} {} done", done, expected, what));
    }
  };
  missing("forwards", own.forwards, own.own);
  missing("backwards", own.backwards, stage.has_backward ? own.own : 0);
  missing("updates", own.updates, stage.updates);
  missing("waits for reductions", own.reductions_waited, own.reductions_posted);
  for (std::size_t p = own.first_port; p < own.end_port; ++p) {
    const Port& port = state.ports[p];
    missing(port.is_sender ? "sends of a link" : "receives of a link", port.done, own.own);
    for (std::int64_t i = 0; i < std::min(own.own, port.cycle / stage.replicas); ++i) {
      const Channel& channel = state.channel_of(port, own.share.microbatch(i));
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

}  // namespace

void check_end(ReplayState& state, int id) {
  const WorkerState& worker = state.workers[static_cast<std::size_t>(id)];
  for (std::size_t h = worker.first_hosted; h < worker.end_hosted; ++h) {
    check_end_of_stage(state, id, state.hosted[h]);
  }
}

}  // namespace pipedream::detail

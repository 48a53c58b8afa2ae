#include "transport/waiting.h"

#include <fmt/format.h>

namespace pipedream::detail {

namespace {

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::string to_string(const WaitedFor& waited_for) {
  std::string text(waited_for.what);
  if (waited_for.index >= 0) text += fmt::format(" {}", waited_for.index);
  if (waited_for.peer >= 0) text += fmt::format(", peer worker {}", waited_for.peer);
  if (waited_for.id >= 0) text += fmt::format(", id {}", waited_for.id);
  return text;
}

std::string deadline_text(int rank, const WaitedFor& waited_for, Clock::duration waited,
                          std::chrono::milliseconds deadline, const std::vector<WorkerReport>& workers) {
  std::string text = fmt::format(
      "worker {} ({}) waited {:.1f} s for {}, and no worker made progress for the deadline of {:.1f} s", rank,
      workers.at(static_cast<std::size_t>(rank)).status, seconds(waited), to_string(waited_for), seconds(deadline));
  for (std::size_t i = 0; i < workers.size(); ++i) {
    text += fmt::format("\n  worker {}: {}, last progress {:.1f} s ago", i, workers[i].status,
                        seconds(workers[i].since_progress));
  }
  return text;
}

std::string caused_by(int rank, std::string_view cause) { return fmt::format("worker {}: {}", rank, cause); }

}  // namespace pipedream::detail

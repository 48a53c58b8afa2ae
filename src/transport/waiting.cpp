#include "transport/waiting.h"

#include <fmt/format.h>

#include <thread>

namespace pipedream::detail {

namespace {

// With others on the core, and without.
constexpr std::chrono::microseconds kShortSpin{50};
constexpr std::chrono::microseconds kLongSpin{1000};

// Between two tests that far apart someone else had the core.
constexpr std::chrono::microseconds kTestsApart{20};

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

bool Spin::again() {
  std::this_thread::yield();
  const Clock::time_point now = Clock::now();
  contended_ = contended_ || now - last_ > kTestsApart;
  last_ = now;
  return now - start_ < (contended_ ? kShortSpin : kLongSpin);
}

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

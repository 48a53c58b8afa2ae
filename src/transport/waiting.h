// What all waits share, whatever the backend: how they pause, and what they say when they give up.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pipedream::detail {

using Clock = std::chrono::steady_clock;

// How long a wait tests without sleeping: longer than a small message takes, and short enough not to steal the core
// from a worker that computes. Where nobody else wants the core, spinning costs nobody anything, and goes on for
// longer.
class Spin {
 public:
  Spin() : start_(Clock::now()), last_(start_) {}

  // Called after each test that failed: gives way to others, and says whether to test again at once.
  bool again();

 private:
  Clock::time_point start_;
  Clock::time_point last_;
  bool contended_ = false;
};

inline constexpr std::chrono::seconds kDefaultDeadline{300};

// What is waited for. Words are made of it only when they are needed.
struct WaitedFor {
  std::string_view what;    // "message", "the send of message", "reduction", ...
  int peer = -1;            // -1: no single one
  int id = -1;              // of the channel or the group
  std::int64_t index = -1;  // from 0
};

std::string to_string(const WaitedFor& waited_for);

// What is known of one worker.
struct WorkerReport {
  std::string status;
  Clock::duration since_progress{};
};

// Why worker `rank` gave up; workers[i] describes worker i.
std::string deadline_text(int rank, const WaitedFor& waited_for, Clock::duration waited,
                          std::chrono::milliseconds deadline, const std::vector<WorkerReport>& workers);

// "worker 3: CAUSE".
std::string caused_by(int rank, std::string_view cause);

}  // namespace pipedream::detail

// SIGINT (Ctrl-C), SIGTERM and SIGUSR1 as a wish: the first asks the run to end in order, the second ends the process
// at once. SIGUSR1 is the one that mpirun passes on to its ranks without ending them itself.
#pragma once

#include <csignal>

namespace pipedream::detail {

// Exit code of a run that was asked to stop and did so in order, whichever signal asked.
inline constexpr int kExitStopped = 130;

// Has a signal come since the handlers were set? Any thread.
bool stop_requested() noexcept;

// Sets the handlers and gives the former ones back. One at a time in a process.
class SignalScope {
 public:
  SignalScope();
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

 private:
  struct sigaction former_int_ {};
  struct sigaction former_term_ {};
  struct sigaction former_user_ {};
};

}  // namespace pipedream::detail

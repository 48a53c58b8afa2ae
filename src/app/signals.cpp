#include "app/signals.h"

#include <unistd.h>

#include <atomic>

namespace pipedream::detail {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may not take a lock");

extern "C" void on_stop_signal(int) {
  if (stop.exchange(true)) _exit(kExitStopped);
}

}  // namespace

bool stop_requested() noexcept { return stop.load(std::memory_order_relaxed); }

SignalScope::SignalScope() {
  stop = false;
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &former_int_);
  sigaction(SIGTERM, &action, &former_term_);
  sigaction(SIGUSR1, &action, &former_user_);
}

SignalScope::~SignalScope() {
  sigaction(SIGINT, &former_int_, nullptr);
  sigaction(SIGTERM, &former_term_, nullptr);
  sigaction(SIGUSR1, &former_user_, nullptr);
}

}  // namespace pipedream::detail

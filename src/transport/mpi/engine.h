// What the channels and groups of one MPI communicator share: its MPI communicators, waiting, and progress.
#pragma once

#include <mpi.h>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pipedream/mpi_communicator.h"
#include "transport/advancing.h"
#include "transport/ledger.h"
#include "transport/mpi/control.h"
#include "transport/mpi/library.h"
#include "transport/waiting.h"

namespace pipedream::detail {

class Helper;

// Smaller transfers need no help: MPI has them done when they are posted, or they are short.
inline constexpr std::int64_t kLargeBytes = 256 * 1024;

class Engine {
 public:
  // Collective.
  Engine(MPI_Comm parent, const MpiOptions& options);
  ~Engine();

  const MPI_Comm messages;
  const MPI_Comm sums;
  const MPI_Comm gathers;
  ControlPlane control;
  OpenIds sends, receives, groups;
  const std::int64_t part_bytes;

  // The tag of one of the `kinds` kinds of messages of a channel or group. ConfigError beyond MPI's largest tag.
  int tag(int id, int kinds, int kind, const std::string& name) const;

  // Returns when `ready` does, which counts as progress. `ready` is called with the lock held. *moving, if given, says
  // that what is waited for is on its way: it is worth more spinning.
  void wait_until(const std::function<bool()>& ready, const WaitedFor& waited_for, const bool* moving = nullptr);
  void progress();
  void abort(const std::string& cause) noexcept;

  // What is enlisted advances with every wait and progress, called with the lock held, by the worker or the helper.
  void enlist(Advancing& operation);
  void dismiss(Advancing& operation);

  // Changes the counts of large transfers that should go on while the worker computes (helper.h).
  void count_large(int moving, int expected);
  // For the helper; never throws, the worker hears of a failure at its next wait.
  void advance_for_helper() noexcept;

 private:
  void advance_all();
  void throw_if_failed();
  bool spin_until(const std::function<bool()>& ready, Clock::duration spin, const bool* moving);
  [[noreturn]] void give_up(const WaitedFor& waited_for, Clock::duration waited);

  int largest_tag_ = 0;
  std::vector<Advancing*> operations_;
  std::exception_ptr helper_failure_;
  std::atomic<bool> waiting_{false};
  std::unique_ptr<Helper> helper_;
};

}  // namespace pipedream::detail

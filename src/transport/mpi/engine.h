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
#include "transport/host_communicator.h"
#include "transport/ledger.h"
#include "transport/mpi/control.h"
#include "transport/mpi/library.h"
#include "transport/waiting.h"

namespace pipedream::detail {

class Helper;

// What one operation adds to the work that MPI has after a post: small messages are done then, or take next to no time
// in their wait; others go on when the worker drives communication between layers; large ones while a layer computes.
struct Load {
  int driven = 0;
  int large_moving = 0;
  int large_expected = 0;
};
Load load_of_transfer(std::int64_t bytes);  // that has begun, or may have
Load load_of_receive(std::int64_t bytes);   // posted ahead

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

  // Returns when `ready` does, which counts as progress. `ready` is called with the lock held.
  void wait_until(const std::function<bool()>& ready, const WaitedFor& waited_for);
  void progress();
  void abort(const std::string& cause) noexcept;
  // From any thread.
  HostCommunicator::News exchange_news(bool device_progressed);
  std::vector<WorkerReport> reports();

  // What is enlisted advances with every wait and progress, called with the lock held, by the worker or the helper.
  void enlist(Advancing& operation);
  void dismiss(Advancing& operation);

  // With the lock: changes what an operation adds to the load.
  void set_load(Load& mine, Load now);
  // For the helper: returns false if the worker needs none. Never throws, the worker hears of a failure at its next
  // wait.
  bool advance_for_helper() noexcept;

 private:
  void advance_all();
  void throw_if_failed();
  bool look(const std::function<bool()>& ready, int tests);
  Clock::time_point deadline_from(Clock::time_point start);
  void sleep_until(const std::function<bool()>& ready, const WaitedFor& waited_for);
  [[noreturn]] void give_up(const WaitedFor& waited_for, Clock::duration waited);

  int largest_tag_ = 0;
  bool threads_may_call_ = false;
  int driven_ = 0;  // operations to be driven
  std::vector<Advancing*> operations_;
  std::exception_ptr helper_failure_;
  std::atomic<bool> waiting_{false};
  std::unique_ptr<Helper> helper_;
};

}  // namespace pipedream::detail

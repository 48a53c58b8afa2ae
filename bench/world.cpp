#include "world.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <thread>

#include "pipedream/error.h"
#include "pipedream/mpi_communicator.h"
#include "pipedream/nccl_communicator.h"

namespace pipedream::bench {
namespace {

void pin_to_core(int worker) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<unsigned>(worker) % std::thread::hardware_concurrency(), &cores);
  if (sched_setaffinity(0, sizeof(cores), &cores) != 0) {
    throw ConfigError(fmt::format("--pin: worker {} may not choose its core", worker));
  }
}

// This thread's, and that of the threads that it starts, as long as it lives. Starting and ending MPI is left out: what
// spins there without giving way would keep out what it waits for.
class PriorityScope {
 public:
  explicit PriorityScope(bool realtime) : realtime_(realtime) {
    const sched_param lowest{.sched_priority = sched_get_priority_min(SCHED_RR)};
    if (realtime_ && sched_setscheduler(0, SCHED_RR, &lowest) != 0) {
      throw ConfigError("--realtime: this user may not have real-time priority");
    }
  }
  ~PriorityScope() {
    const sched_param none{};
    if (realtime_) sched_setscheduler(0, SCHED_OTHER, &none);
  }
  PriorityScope(const PriorityScope&) = delete;
  PriorityScope& operator=(const PriorityScope&) = delete;

 private:
  bool realtime_;
};

}  // namespace

void on_every_worker(int& argc, char**& argv, const Options& options, const std::function<void(Communicator&)>& work) {
  const auto prepared = [&](Communicator& comm) {
    at::set_num_threads(1);
    if (options.pin) pin_to_core(comm.local_rank());
    const PriorityScope priority(options.realtime);
    work(comm);
  };
  if (!MpiScope::launched()) return run_in_threads(options.threads, prepared);
  MpiScope mpi(argc, argv);
  const auto comm = make_mpi_communicator(MPI_COMM_WORLD);
  try {
    const auto nccl = options.nccl ? make_nccl_communicator(*comm, options.device) : nullptr;
    prepared(nccl ? *nccl : *comm);
  } catch (const std::exception& error) {
    comm->abort(error.what());  // the scope prints it and ends the job
    throw;
  }
}

double greatest_of_all(Communicator& comm, double value) {
  const std::string_view bytes(reinterpret_cast<const char*>(&value), sizeof(value));
  for (const std::string& other : comm.all_gather(bytes)) {
    double theirs = 0;
    std::memcpy(&theirs, other.data(), sizeof(theirs));
    value = std::max(value, theirs);
  }
  return value;
}

std::string describe_workers(const Communicator& comm, const Options& options) {
  const char* const way = !MpiScope::launched() ? "threads" : options.nccl ? "NCCL" : "MPI";
  std::string text = fmt::format("{} workers, {}", comm.size(), way);
  if (!options.device.is_cpu()) text += ", " + options.device.str();
  if (!options.label.empty()) text += ", " + options.label;
  return text;
}

}  // namespace pipedream::bench

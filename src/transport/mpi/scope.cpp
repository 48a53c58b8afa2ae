#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <thread>

#include "pipedream/error.h"
#include "pipedream/mpi_communicator.h"
#include "transport/mpi/library.h"
#include "transport/waiting.h"

namespace pipedream {

namespace {

// Time for the other workers to hear the cause and to print it. One that is stalled is not waited for longer.
constexpr std::chrono::seconds kFarewell{1};

// Returns when every worker has said whether it failed, or `limit` is over; meanwhile MPI sends what is left to be
// said. True if one of those that were heard failed.
bool say_farewell(MPI_Comm comm, bool failed, std::optional<std::chrono::seconds> limit) {
  const detail::MpiLock lock(detail::mpi_mutex());
  const auto start = detail::Clock::now();
  // Static, because the reduction may still be under way when the job is aborted.
  static int mine = 0;
  static int any = 0;
  mine = failed ? 1 : 0;
  MPI_Request request = MPI_REQUEST_NULL;
  if (MPI_Iallreduce(&mine, &any, 1, MPI_INT, MPI_MAX, comm, &request) != MPI_SUCCESS) return true;
  int all_here = 0;
  while (all_here == 0 && (!limit || detail::Clock::now() - start < *limit)) {
    if (MPI_Test(&request, &all_here, MPI_STATUS_IGNORE) != MPI_SUCCESS) return true;
    if (all_here == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return failed || any != 0;
}

}  // namespace

MpiScope::MpiScope(int& argc, char**& argv) : uncaught_(std::uncaught_exceptions()) {
  int running = 0;
  detail::check_mpi(MPI_Initialized(&running), "MPI_Initialized");
  if (running != 0) return;
  int provided = MPI_THREAD_SINGLE;
  detail::check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
  owns_ = true;
  farewell_ = detail::duplicate(MPI_COMM_WORLD);
}

MpiScope::~MpiScope() {
  if (!owns_) return;
  const bool unwinding = std::uncaught_exceptions() > uncaught_;
  const auto cause = detail::noted_failure();
  const bool failed = unwinding || cause;
  // Whoever catches the exception outside of the scope will not come to print it.
  if (unwinding) std::fprintf(stderr, "pipedream: %s\n", cause ? cause->c_str() : "ended by an exception");
  std::fflush(nullptr);
  // A worker that ended well does not wait in MPI_Finalize: a job that is aborted then can leave Open MPI's mpirun
  // (4.1) in a deadlock.
  if (say_farewell(farewell_, failed, failed ? std::optional(kFarewell) : std::nullopt)) {
    MPI_Abort(MPI_COMM_WORLD, kExitFailure);
  }
  MPI_Finalize();
}

bool MpiScope::launched() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

}  // namespace pipedream

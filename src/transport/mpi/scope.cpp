#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "pipedream/error.h"
#include "pipedream/mpi_communicator.h"
#include "transport/mpi/library.h"
#include "transport/waiting.h"

namespace pipedream {

namespace {

// Time for the other workers to hear the cause and to print it. One that is stalled is not waited for longer.
constexpr std::chrono::seconds kFarewell{1};

// Returns when all workers are here or the time is over; meanwhile MPI sends what is left to be said.
void say_farewell(MPI_Comm comm) {
  const detail::MpiLock lock(detail::mpi_mutex());
  const auto end = detail::Clock::now() + kFarewell;
  MPI_Request request = MPI_REQUEST_NULL;
  if (MPI_Ibarrier(comm, &request) != MPI_SUCCESS) return;
  int all_here = 0;
  while (all_here == 0 && detail::Clock::now() < end) {
    if (MPI_Test(&request, &all_here, MPI_STATUS_IGNORE) != MPI_SUCCESS) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
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
  if (!unwinding && !cause) {
    MPI_Finalize();
    return;
  }
  // Whoever catches the exception outside of the scope will not come to print it.
  if (unwinding) std::fprintf(stderr, "pipedream: %s\n", cause ? cause->c_str() : "ended by an exception");
  std::fflush(nullptr);
  say_farewell(farewell_);
  MPI_Abort(MPI_COMM_WORLD, kExitFailure);
}

bool MpiScope::launched() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

}  // namespace pipedream

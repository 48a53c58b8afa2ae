// MPI as what it is, one library per process: its lock, its errors, and whether its job has failed.
#pragma once

#include <mpi.h>

#include <mutex>
#include <optional>
#include <string>

namespace pipedream::detail {

// Held around every call that this library makes into MPI once a helper thread may exist; MPI_THREAD_SERIALIZED is then
// enough. One per process, because MPI is.
std::mutex& mpi_mutex();
using MpiLock = std::unique_lock<std::mutex>;

// Throws CommunicationError with the name of the call and MPI's text.
void check_mpi(int code, const char* call);

// A communicator of our own with the members of `parent`, whose errors are returned. Collective.
MPI_Comm duplicate(MPI_Comm parent);

// Remembers why this process gave up, for MpiScope; the first cause stays.
void note_failure(const std::string& cause);
std::optional<std::string> noted_failure();

}  // namespace pipedream::detail

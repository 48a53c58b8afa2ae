// The communicator over MPI, and a scope that starts and ends MPI for programs that want it.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <memory>

#include "pipedream/communicator.h"

namespace pipedream {

// Starts MPI (with the thread level the communicator wants) unless it is running, and then ends it in the destructor.
// When the scope is left by an exception or after an abort, the job is ended with exit code 3 (kExitFailure) after all
// workers had a bounded time to hear the cause, because MPI_Finalize could wait for ever. So catch exceptions, tell the
// others (Communicator::abort) and print the text inside of the scope; for an exception that leaves it, the scope
// prints the cause that was told.
class MpiScope {
 public:
  MpiScope(int& argc, char**& argv);
  ~MpiScope();
  MpiScope(const MpiScope&) = delete;
  MpiScope& operator=(const MpiScope&) = delete;

  // Was this process started by an MPI launcher (mpirun, srun with PMI/PMIx)? Asks the environment only.
  static bool launched();

 private:
  bool owns_ = false;
  MPI_Comm farewell_ = MPI_COMM_NULL;
  int uncaught_ = 0;
};

struct MpiOptions {
  // A thread that gives MPI the processor while messages of 256 KiB and more are pending, so that a transfer does not
  // stand still while a layer computes. There is none where MPI was started with less than MPI_THREAD_SERIALIZED, which
  // MpiScope asks for; a program that calls MPI by itself while the communicator lives needs MPI_THREAD_MULTIPLE or
  // does without the thread.
  bool helper_thread = true;
  // Payloads travel in parts of at most this many bytes, the same on all workers; MPI counts in int.
  std::int64_t part_bytes = std::int64_t{1} << 30;
};

// Collective over `parent`, and with the same options. Uses duplicates of `parent`, which MPI_Finalize gives back;
// destroy it before that, and after its channels and groups. Throws CommunicationError with MPI's text.
std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm parent, const MpiOptions& options = {});

}  // namespace pipedream

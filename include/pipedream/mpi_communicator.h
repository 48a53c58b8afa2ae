// The communicator over MPI, and a scope that starts and ends MPI for programs that want it.
#pragma once

#include <mpi.h>

#include <memory>

#include "pipedream/communicator.h"

namespace pipedream {

// Starts MPI (with the thread level the communicator wants) unless it is running, and then ends it in the destructor.
// When the scope is left by an exception or after an abort, the job is ended with exit code 3 (kExitFailure) after all
// workers had a bounded time to hear the cause, because MPI_Finalize could wait for ever.
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
  int uncaught_ = 0;
};

// Collective. Duplicates `parent` for its own traffic; close it before MPI_Finalize. Throws CommunicationError with
// MPI's text.
std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm parent);

}  // namespace pipedream

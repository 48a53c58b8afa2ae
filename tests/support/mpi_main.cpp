// main() of tests that run under mpirun. All ranks run the same test cases in the same order; a failure on any of them
// fails the job, and only rank 0 writes unless another one fails.
#define CATCH_CONFIG_RUNNER
#define CATCH_CONFIG_NOSTDOUT
#include <mpi.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>

namespace {

std::ostream& output() {
  static std::ostringstream kept;
  static int rank = -1;
  if (rank < 0) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank == 0 ? std::cout : static_cast<std::ostream&>(kept);
}

}  // namespace

namespace Catch {
std::ostream& cout() { return output(); }
std::ostream& clog() { return output(); }
std::ostream& cerr() { return output(); }
}  // namespace Catch

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided);
  int size = 0;
  int rank = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (size < 2) {
    std::fprintf(stderr, "These tests need at least 2 ranks: start them with mpirun.\n");
    MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
  }
  const int failed = Catch::Session().run(argc, argv);
  if (failed != 0 && rank != 0) {
    const auto& kept = static_cast<std::ostringstream&>(output());
    std::fprintf(stderr, "rank %d:\n%s", rank, kept.str().c_str());
  }
  int any = 0;
  MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  MPI_Finalize();
  return any != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

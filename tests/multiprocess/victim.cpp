// A job that something is done to: its ranks pass messages round a ring until one of them fails in the way that the
// first argument says. The second is the deadline in milliseconds.
//
//   victim run DEADLINE      never ends by itself
//   victim throw DEADLINE    rank 1 throws in round 10; the others hear why
//   victim escape DEADLINE   the same, but the exception leaves MpiScope and nobody is told
//   victim silent DEADLINE   rank 1 ends well while the others wait for its messages
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include "pipedream/error.h"
#include "pipedream/mpi_communicator.h"

namespace {

void pass_messages(pipedream::Communicator& communicator, const std::string& mode) {
  const int rank = communicator.rank();
  const int size = communicator.size();
  std::int64_t round = 0;
  communicator.set_status([&] { return "round " + std::to_string(round); });
  const pipedream::ChannelOptions options{.tensors = 1, .slots = 1};
  const auto next = communicator.open_send((rank + 1) % size, 0, options);
  const auto previous = communicator.open_receive((rank + size - 1) % size, 0, options);
  for (;; ++round) {
    if (round == 10 && rank == 1) {
      if (mode == "throw" || mode == "escape") throw std::runtime_error("layer 'conv1' ran out of paper");
      if (mode == "silent") return;
    }
    previous->post();
    next->post({{at::full({100000}, round, at::kFloat)}, 1});
    previous->wait();
    next->wait();
    communicator.note_progress();
    communicator.progress();
    if (round == 300) {
      std::printf("ready %d %d\n", rank, static_cast<int>(getpid()));
      std::fflush(stdout);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

int run(int argc, char** argv) {
  pipedream::MpiScope scope(argc, argv);
  const auto communicator = pipedream::make_mpi_communicator(MPI_COMM_WORLD);
  const std::string mode = argv[1];
  communicator->set_deadline(std::chrono::milliseconds(std::atoi(argv[2])));
  if (mode == "escape") {
    pass_messages(*communicator, mode);
    return 0;
  }
  try {
    pass_messages(*communicator, mode);
  } catch (const std::exception& error) {
    communicator->abort(error.what());
    std::fprintf(stderr, "rank %d says: %s\n", communicator->rank(), error.what());
    return pipedream::kExitFailure;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return pipedream::kExitUsage;
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return pipedream::kExitFailure;
  }
}

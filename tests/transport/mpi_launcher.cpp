#include <mpi.h>

#include "pipedream/mpi_communicator.h"
#include "support/test_device.h"
#include "transport/contract.h"
#include "transport/on_device.h"

namespace pipedream::testing {

namespace {

// Everyone's text, to all ranks.
std::vector<std::string> to_everyone(const std::string& text, int ranks) {
  int size = static_cast<int>(text.size());
  std::vector<int> sizes(static_cast<std::size_t>(ranks));
  MPI_Allgather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, MPI_COMM_WORLD);
  std::vector<int> places(sizes.size());
  for (std::size_t i = 1; i < sizes.size(); ++i) places[i] = places[i - 1] + sizes[i - 1];
  std::string all(static_cast<std::size_t>(places.back() + sizes.back()), '\0');
  MPI_Allgatherv(text.data(), size, MPI_CHAR, all.data(), sizes.data(), places.data(), MPI_CHAR, MPI_COMM_WORLD);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    texts.push_back(all.substr(static_cast<std::size_t>(places[i]), static_cast<std::size_t>(sizes[i])));
  }
  return texts;
}

std::string run(MPI_Comm comm, const std::function<void(Communicator&)>& work) {
  // Small parts, so that messages of more than one are common.
  const auto communicator = make_mpi_communicator(comm, {.helper_thread = true, .part_bytes = 100'000});
  try {
    work(*on_device(*communicator, test_device()));
  } catch (const std::exception& error) {
    communicator->abort(error.what());
    return error.what();
  }
  return "";
}

}  // namespace

std::vector<std::string> launch(int workers, const std::function<void(Communicator&)>& work) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, rank < workers ? 0 : MPI_UNDEFINED, rank, &comm);
  std::string end;
  if (comm != MPI_COMM_NULL) {
    end = run(comm, work);
    MPI_Comm_free(&comm);
  }
  std::vector<std::string> ends = to_everyone(end, most_workers());
  ends.resize(static_cast<std::size_t>(workers));
  return ends;
}

int most_workers() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

}  // namespace pipedream::testing

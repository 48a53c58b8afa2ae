#include "transport/mpi/gather.h"

#include <algorithm>
#include <cstdint>
#include <memory>

namespace pipedream::detail {

namespace {

// What MPI reads and writes while the collective is under way.
struct Gather {
  std::string mine;
  std::int64_t my_size = 0;
  std::vector<std::int64_t> sizes;
  std::vector<int> counts, places;
  std::string arrived;
  MPI_Request request = MPI_REQUEST_NULL;
};

void finish(Engine& engine, Gather& gather) {
  engine.wait_until(
      [&gather] {
        int done = 0;
        check_mpi(MPI_Test(&gather.request, &done, MPI_STATUS_IGNORE), "MPI_Test");
        return done != 0;
      },
      {.what = "all_gather by all workers"});
}

void gather_sizes(Engine& engine, Gather& gather) {
  {
    const MpiLock lock(mpi_mutex());
    gather.my_size = static_cast<std::int64_t>(gather.mine.size());
    check_mpi(MPI_Iallgather(&gather.my_size, 1, MPI_INT64_T, gather.sizes.data(), 1, MPI_INT64_T, engine.gathers,
                             &gather.request),
              "MPI_Iallgather");
  }
  finish(engine, gather);
}

// One round of at most `piece` bytes of each worker, from `begin` on.
void gather_round(Engine& engine, Gather& gather, std::int64_t begin, std::int64_t piece,
                  std::vector<std::string>& result) {
  int place = 0;
  for (std::size_t i = 0; i < gather.sizes.size(); ++i) {
    gather.counts[i] = static_cast<int>(std::clamp<std::int64_t>(gather.sizes[i] - begin, 0, piece));
    gather.places[i] = place;
    place += gather.counts[i];
  }
  gather.arrived.resize(static_cast<std::size_t>(place));
  {
    const MpiLock lock(mpi_mutex());
    const std::int64_t offset = std::min(begin, gather.my_size);
    const int count = static_cast<int>(std::min(gather.my_size - offset, piece));
    check_mpi(MPI_Iallgatherv(gather.mine.data() + offset, count, MPI_BYTE, gather.arrived.data(), gather.counts.data(),
                              gather.places.data(), MPI_BYTE, engine.gathers, &gather.request),
              "MPI_Iallgatherv");
  }
  finish(engine, gather);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i].append(gather.arrived, static_cast<std::size_t>(gather.places[i]),
                     static_cast<std::size_t>(gather.counts[i]));
  }
}

}  // namespace

std::vector<std::string> gather(Engine& engine, std::string_view bytes) {
  const auto workers = static_cast<std::size_t>(engine.control.size());
  auto gather = std::make_unique<Gather>();
  gather->mine = bytes;
  gather->sizes.resize(workers);
  gather->counts.resize(workers);
  gather->places.resize(workers);
  std::vector<std::string> result(workers);
  try {
    gather_sizes(engine, *gather);
    const std::int64_t piece = std::max<std::int64_t>(1, engine.part_bytes / engine.control.size());
    const std::int64_t largest = *std::max_element(gather->sizes.begin(), gather->sizes.end());
    for (std::int64_t begin = 0; begin < largest; begin += piece) {
      gather_round(engine, *gather, begin, piece, result);
    }
  } catch (...) {
    // A collective cannot be cancelled.
    leak(std::move(gather));
    throw;
  }
  return result;
}

}  // namespace pipedream::detail

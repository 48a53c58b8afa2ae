#include <catch2/catch.hpp>

#include "transport/contract.h"

namespace pipedream {
namespace {

using testing::all_well;
using testing::expect;
using testing::launch;

TEST_CASE("all_gather gives everyone everyone's bytes, by rank") {
  const int workers = GENERATE_COPY(Catch::Generators::range(1, testing::most_workers() + 1));
  const auto ends = launch(workers, [&](Communicator& communicator) {
    expect(communicator.size() == workers, "the number of workers");
    expect(communicator.local_size() >= 1 && communicator.local_size() <= workers, "a number of local workers");
    expect(communicator.local_rank() >= 0 && communicator.local_rank() < communicator.local_size(), "a local rank");
    for (int turn = 0; turn < 10; ++turn) {
      const auto bytes = [&](int rank) {
        std::string text = std::to_string(rank) + '\0' + std::to_string(turn);
        if (rank % 2 == turn % 2)
          text.append(static_cast<std::size_t>(turn * turn * 1000), static_cast<char>('a' + rank));
        return rank == turn ? std::string() : text;
      };
      const std::vector<std::string> all = communicator.all_gather(bytes(communicator.rank()));
      expect(static_cast<int>(all.size()) == workers, "one string of each");
      for (int rank = 0; rank < workers; ++rank) expect(all[static_cast<std::size_t>(rank)] == bytes(rank), "bytes");
    }
    communicator.barrier();
  });
  CHECK(ends == all_well(workers));
}

}  // namespace
}  // namespace pipedream

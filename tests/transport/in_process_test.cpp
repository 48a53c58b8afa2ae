// What is special to workers that are threads of one process.
#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>

#include "pipedream/communicator.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

TEST_CASE("every worker runs once, with its rank") {
  std::atomic<int> ranks{0};
  run_in_threads(4, [&](Communicator& communicator) {
    ranks += 1 << (4 * communicator.rank());
    if (communicator.size() != 4 || communicator.local_size() != 4 ||
        communicator.local_rank() != communicator.rank()) {
      throw std::logic_error("wrong size");
    }
  });
  CHECK(ranks == 0x1111);
  CHECK_THROWS_AS(run_in_threads(0, [](Communicator&) {}), ConfigError);
}

struct Special : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST_CASE("the exception of the first cause is thrown again, with its type") {
  CHECK_THROWS_AS(run_in_threads(3,
                                 [](Communicator& communicator) {
                                   if (communicator.rank() == 2) throw Special("it");
                                   communicator.barrier();
                                 }),
                  Special);
}

TEST_CASE("an abort without an exception is thrown as one") {
  CHECK_THROWS_WITH(run_in_threads(2,
                                   [](Communicator& communicator) {
                                     if (communicator.rank() == 1) return communicator.abort("enough");
                                     communicator.barrier();
                                   }),
                    "worker 1: enough");
}

TEST_CASE("ends of a channel that disagree are told how") {
  CHECK_THROWS_WITH(run_in_threads(2,
                                   [](Communicator& communicator) {
                                     if (communicator.rank() == 0) {
                                       communicator.open_send(1, 0, {.tensors = 2, .slots = 2});
                                     } else {
                                       communicator.open_receive(0, 0, {.tensors = 2, .slots = 3});
                                     }
                                     communicator.barrier();
                                   }),
                    Catch::Contains("2 tensors and 2 slots") && Catch::Contains("2 tensors and 3 slots") ||
                        Catch::Contains("2 and 2") || Catch::Contains("2 and 3"));
}

}  // namespace
}  // namespace pipedream

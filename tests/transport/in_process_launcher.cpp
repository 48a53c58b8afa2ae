#include "support/test_device.h"
#include "transport/contract.h"
#include "transport/on_device.h"

namespace pipedream::testing {

std::vector<std::string> launch(int workers, const std::function<void(Communicator&)>& work) {
  std::vector<std::string> ends(static_cast<std::size_t>(workers));
  try {
    run_in_threads(workers, [&](Communicator& communicator) {
      try {
        work(*on_device(communicator, test_device()));
      } catch (const std::exception& error) {
        ends[static_cast<std::size_t>(communicator.rank())] = error.what();
        throw;
      }
    });
  } catch (const std::exception&) {
  }
  return ends;
}

int most_workers() { return 5; }

}  // namespace pipedream::testing

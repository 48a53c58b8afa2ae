#include "app/agree.h"

#include <chrono>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

// Workers that fail for the same reason do so at about the same time.
constexpr std::chrono::seconds kStopTogetherDeadline{10};

}  // namespace

void stop_together(Communicator& comm, const std::function<void()>& work) {
  try {
    work();
  } catch (const ConfigError& error) {
    try {
      comm.set_deadline(kStopTogetherDeadline);
      comm.barrier();
    } catch (const CommunicationError&) {
      comm.abort(error.what());
      throw CommunicationError(error.what());
    }
    throw;
  }
}

}  // namespace pipedream::detail

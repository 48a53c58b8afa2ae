#include <fmt/format.h>

#include <exception>
#include <thread>
#include <vector>

#include "pipedream/communicator.h"
#include "pipedream/error.h"
#include "transport/in_process/communicator.h"

namespace pipedream {

namespace {

// Ends with the worker's exception, or none. The others hear of it before this thread ends.
std::exception_ptr run_worker(const std::shared_ptr<detail::World>& world, int rank,
                              const std::function<void(Communicator&)>& work) {
  detail::InProcessCommunicator communicator(world, rank);
  std::exception_ptr failure;
  try {
    work(communicator);
  } catch (const std::exception& error) {
    failure = std::current_exception();
    communicator.abort(error.what());
  } catch (...) {
    failure = std::current_exception();
    communicator.abort("an exception of unknown type");
  }
  world->set_status(rank, [failed = failure != nullptr] { return failed ? "failed" : "ended"; });
  return failure;
}

}  // namespace

void run_in_threads(int workers, const std::function<void(Communicator&)>& work) {
  if (workers < 1) throw ConfigError(fmt::format("run_in_threads: {} workers", workers));
  const auto world = std::make_shared<detail::World>(workers);
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(workers));
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < workers; ++rank) {
    threads.emplace_back([&, rank] { failures[static_cast<std::size_t>(rank)] = run_worker(world, rank, work); });
  }
  threads.clear();
  const auto cause = world->cause();
  if (!cause) return;
  if (const auto& first = failures[static_cast<std::size_t>(cause->worker)]) std::rethrow_exception(first);
  throw CommunicationError(detail::caused_by(cause->worker, cause->text));
}

}  // namespace pipedream

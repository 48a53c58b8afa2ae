#include "transport/mpi/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

#include "pipedream/error.h"
#include "transport/mpi/helper.h"

namespace pipedream::detail {

namespace {

// Tests between two looks at the clock and at everything else while a wait spins: some microseconds, against which
// giving way to others is little.
constexpr int kTestsPerLook = 32;

// A wait that has spun long enough pauses between tests, for a part of the time that it has waited: what it waits for
// is found late by that part at most, and long waits leave the processor to workers that compute.
constexpr int kPausePart = 50;
constexpr std::chrono::microseconds kShortestPause{20};
constexpr std::chrono::microseconds kLongestPause{200};

// Says for as long as it lives that the worker waits.
struct Waiting {
  explicit Waiting(std::atomic<bool>& waiting) : flag(waiting) { flag.store(true); }
  ~Waiting() { flag.store(false); }
  std::atomic<bool>& flag;
};

int largest_tag(MPI_Comm comm) {
  int* value = nullptr;
  int found = 0;
  check_mpi(MPI_Comm_get_attr(comm, MPI_TAG_UB, &value, &found), "MPI_Comm_get_attr(MPI_TAG_UB)");
  // The least that the standard allows.
  return found != 0 ? *value : 32767;
}

bool threads_may_call() {
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Query_thread(&provided), "MPI_Query_thread");
  return provided >= MPI_THREAD_SERIALIZED;
}

// Most networks have delivered a message of this size when its post returns.
constexpr std::int64_t kSmallBytes = 1 << 16;
constexpr std::int64_t kLargeBytes = 1 << 18;

MPI_Comm checked(MPI_Comm parent, const MpiOptions& options) {
  if (parent == MPI_COMM_NULL) throw ConfigError("make_mpi_communicator: MPI_COMM_NULL");
  if (options.part_bytes < 1 || options.part_bytes > std::numeric_limits<int>::max()) {
    throw ConfigError(fmt::format("MpiOptions::part_bytes is {}; MPI counts in int, up to {}", options.part_bytes,
                                  std::numeric_limits<int>::max()));
  }
  return parent;
}

}  // namespace

Load load_of_transfer(std::int64_t bytes) {
  return {.driven = bytes > kSmallBytes ? 1 : 0, .large_moving = bytes >= kLargeBytes ? 1 : 0, .large_expected = 0};
}

Load load_of_receive(std::int64_t bytes) {
  return {.driven = bytes > kSmallBytes ? 1 : 0, .large_moving = 0, .large_expected = bytes >= kLargeBytes ? 1 : 0};
}

Engine::Engine(MPI_Comm parent, const MpiOptions& options)
    : messages(duplicate(checked(parent, options))),
      sums(duplicate(parent)),
      gathers(duplicate(parent)),
      control(parent),
      part_bytes(options.part_bytes),
      largest_tag_(largest_tag(messages)),
      threads_may_call_(threads_may_call()) {
  if (options.helper_thread && control.size() > 1 && threads_may_call_) {
    helper_ = std::make_unique<Helper>([this] { return advance_for_helper(); });
  }
}

Engine::~Engine() = default;

int Engine::tag(int id, int kinds, int kind, const std::string& name) const {
  if (id > (largest_tag_ - kind) / kinds) {
    throw ConfigError(fmt::format("{}: this MPI's largest tag, {}, allows ids up to {}", name, largest_tag_,
                                  largest_tag_ / kinds - 1));
  }
  return id * kinds + kind;
}

void Engine::enlist(Advancing& operation) {
  const MpiLock lock(mpi_mutex());
  operations_.push_back(&operation);
}

void Engine::dismiss(Advancing& operation) {
  const MpiLock lock(mpi_mutex());
  std::erase(operations_, &operation);
}

void Engine::set_load(Load& mine, Load now) {
  const Load before = std::exchange(mine, now);
  driven_ += now.driven - before.driven;
  if (helper_) {
    helper_->count(now.large_moving - before.large_moving, now.large_expected - before.large_expected);
  }
}

void Engine::advance_all() {
  for (Advancing* operation : operations_) operation->advance();
}

// A worker that waits tests by itself.
bool Engine::advance_for_helper() noexcept {
  if (waiting_.load()) return false;
  const MpiLock lock(mpi_mutex(), std::try_to_lock);
  if (!lock.owns_lock()) return true;
  if (helper_failure_) return false;
  try {
    // Any call that looks for messages makes MPI work on all of them, sends too.
    int found = 0;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, gathers, &found, MPI_STATUS_IGNORE), "MPI_Iprobe");
    advance_all();
  } catch (...) {
    helper_failure_ = std::current_exception();
  }
  return true;
}

void Engine::throw_if_failed() {
  if (helper_failure_) std::rethrow_exception(helper_failure_);
  if (control.failure()) throw CommunicationError(*control.failure());
}

// MPI is left alone where it has nothing to do: a call without result may give the core away (mpi_yield_when_idle).
void Engine::progress() {
  if (helper_) helper_->rouse();
  const MpiLock lock(mpi_mutex());
  if (driven_ > 0 || control.is_time_to_tell()) {
    control.poll();
    advance_all();
  }
  throw_if_failed();
}

void Engine::abort(const std::string& cause) noexcept {
  try {
    const MpiLock lock(mpi_mutex());
    control.abort(cause);
  } catch (...) {
    // The others then hear of it by their deadline, or when the launcher ends the job.
  }
}

HostCommunicator::News Engine::exchange_news(bool device_progressed) {
  if (device_progressed) control.note_progress();
  const MpiLock lock(mpi_mutex());
  if (threads_may_call_) control.poll();
  return {.failure = control.failure(), .last_progress = control.last_progress()};
}

std::vector<WorkerReport> Engine::reports() {
  const MpiLock lock(mpi_mutex());
  return control.reports();
}

// Whether `ready` says so within some tests; sees to everything else then.
bool Engine::look(const std::function<bool()>& ready, int tests) {
  for (int i = 0; i < tests; ++i) {
    const MpiLock lock(mpi_mutex());
    if (ready()) return true;
  }
  const MpiLock lock(mpi_mutex());
  control.poll();
  throw_if_failed();
  advance_all();
  return false;
}

void Engine::wait_until(const std::function<bool()>& ready, const WaitedFor& waited_for) {
  const Waiting waiting(waiting_);
  Spin spin;
  while (!look(ready, kTestsPerLook)) {
    if (!spin.again()) {
      sleep_until(ready, waited_for);
      break;
    }
  }
  control.note_progress();
}

void Engine::sleep_until(const std::function<bool()>& ready, const WaitedFor& waited_for) {
  const Clock::time_point start = Clock::now();
  while (!look(ready, 1)) {
    const Clock::duration waited = Clock::now() - start;
    if (start + waited >= deadline_from(start)) give_up(waited_for, waited);
    std::this_thread::sleep_for(std::clamp<Clock::duration>(waited / kPausePart, kShortestPause, kLongestPause));
  }
}

Clock::time_point Engine::deadline_from(Clock::time_point start) {
  const MpiLock lock(mpi_mutex());
  return control.deadline_from(start);
}

void Engine::give_up(const WaitedFor& waited_for, Clock::duration waited) {
  const std::string cause = deadline_text(control.rank(), waited_for, waited, control.deadline(), reports());
  abort(cause);
  throw CommunicationError(cause);
}

}  // namespace pipedream::detail

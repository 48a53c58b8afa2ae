#include "transport/mpi/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <thread>

#include "pipedream/error.h"
#include "transport/mpi/helper.h"

namespace pipedream::detail {

namespace {

// Tests between two looks at the clock and at everything else while a wait spins.
constexpr int kTestsPerLook = 8;

// What is on its way is here within this time, up to a few MiB on one machine.
constexpr std::chrono::microseconds kSpinMoving{500};

// A wait that has spun long enough pauses between tests, for a part of the time that it has waited: what it waits for
// is found late by that part at most, and long waits leave the processor to workers that compute.
constexpr int kPausePart = 50;
constexpr std::chrono::microseconds kShortestPause{20};
constexpr std::chrono::microseconds kLongestPause{200};

// Says for as long as it lives that the worker waits.
struct Waiting {
  explicit Waiting(std::atomic<bool>& waiting) : flag(waiting) { flag.store(true, std::memory_order_relaxed); }
  ~Waiting() { flag.store(false, std::memory_order_relaxed); }
  std::atomic<bool>& flag;
};

int largest_tag(MPI_Comm comm) {
  int* value = nullptr;
  int found = 0;
  check_mpi(MPI_Comm_get_attr(comm, MPI_TAG_UB, &value, &found), "MPI_Comm_get_attr(MPI_TAG_UB)");
  // The least that the standard allows.
  return found != 0 ? *value : 32767;
}

bool may_help() {
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Query_thread(&provided), "MPI_Query_thread");
  return provided >= MPI_THREAD_SERIALIZED;
}

MPI_Comm checked(MPI_Comm parent, const MpiOptions& options) {
  if (parent == MPI_COMM_NULL) throw ConfigError("make_mpi_communicator: MPI_COMM_NULL");
  if (options.part_bytes < 1 || options.part_bytes > std::numeric_limits<int>::max()) {
    throw ConfigError(fmt::format("MpiOptions::part_bytes is {}; MPI counts in int, up to {}", options.part_bytes,
                                  std::numeric_limits<int>::max()));
  }
  return parent;
}

}  // namespace

Engine::Engine(MPI_Comm parent, const MpiOptions& options)
    : messages(duplicate(checked(parent, options))),
      sums(duplicate(parent)),
      gathers(duplicate(parent)),
      control(parent),
      part_bytes(options.part_bytes),
      largest_tag_(largest_tag(messages)) {
  if (options.helper_thread && control.size() > 1 && may_help()) {
    helper_ = std::make_unique<Helper>([this] { advance_for_helper(); });
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

void Engine::count_large(int moving, int expected) {
  if (helper_) helper_->count(moving, expected);
}

void Engine::advance_all() {
  for (Advancing* operation : operations_) operation->advance();
}

// A worker that waits tests by itself.
void Engine::advance_for_helper() noexcept {
  if (waiting_.load(std::memory_order_relaxed)) return;
  const MpiLock lock(mpi_mutex(), std::try_to_lock);
  if (!lock.owns_lock() || helper_failure_) return;
  try {
    // Any call that looks for messages makes MPI work on all of them, sends too.
    int found = 0;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, gathers, &found, MPI_STATUS_IGNORE), "MPI_Iprobe");
    advance_all();
  } catch (...) {
    helper_failure_ = std::current_exception();
  }
}

void Engine::throw_if_failed() {
  if (helper_failure_) std::rethrow_exception(helper_failure_);
  if (control.failure()) throw CommunicationError(*control.failure());
}

void Engine::progress() {
  const MpiLock lock(mpi_mutex());
  control.poll();
  throw_if_failed();
  advance_all();
}

void Engine::abort(const std::string& cause) noexcept {
  try {
    const MpiLock lock(mpi_mutex());
    control.abort(cause);
  } catch (...) {
    // The others then hear of it by their deadline, or when the launcher ends the job.
  }
}

// Spins until something moves, and that for long enough once.
bool Engine::spin_until(const std::function<bool()>& ready, Clock::duration spin, const bool* moving) {
  Clock::time_point end = Clock::now() + spin;
  do {
    for (int i = 0; i < kTestsPerLook; ++i) {
      const MpiLock lock(mpi_mutex());
      if (ready()) return true;
    }
    {
      const MpiLock lock(mpi_mutex());
      control.poll();
      throw_if_failed();
      advance_all();
      if (moving != nullptr && *moving) {
        end = std::max(end, Clock::now() + kSpinMoving);
        moving = nullptr;
      }
    }
    std::this_thread::yield();
  } while (Clock::now() < end);
  return false;
}

void Engine::wait_until(const std::function<bool()>& ready, const WaitedFor& waited_for, const bool* moving) {
  const Waiting waiting(waiting_);
  if (spin_until(ready, kSpin, moving)) return control.note_progress();
  const Clock::time_point start = Clock::now();
  while (true) {
    bool moves = false;
    {
      const MpiLock lock(mpi_mutex());
      if (ready()) return control.note_progress();
      control.poll();
      throw_if_failed();
      advance_all();
      moves = moving != nullptr && *moving;
    }
    if (moves) {
      moving = nullptr;
      if (spin_until(ready, kSpinMoving, nullptr)) return control.note_progress();
    }
    const Clock::time_point now = Clock::now();
    if (now >= control.deadline_from(start)) give_up(waited_for, now - start);
    std::this_thread::sleep_for(std::clamp<Clock::duration>((now - start) / kPausePart, kShortestPause, kLongestPause));
  }
}

void Engine::give_up(const WaitedFor& waited_for, Clock::duration waited) {
  const std::string cause = deadline_text(control.rank(), waited_for, waited, control.deadline(), control.reports());
  abort(cause);
  throw CommunicationError(cause);
}

}  // namespace pipedream::detail

// What the workers of one process share: how far each is, who gave up and why, and how to wake one.
//
// Safe to use from all threads, each as the worker it is.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "transport/in_process/meeting_table.h"
#include "transport/waiting.h"

namespace pipedream::detail {

struct Mailbox;
struct SharedGroup;

// The strings of one all_gather.
struct Gathering {
  explicit Gathering(int workers) : bytes(static_cast<std::size_t>(workers)) {}
  std::vector<std::string> bytes;
  std::atomic<int> arrived{0};
};

struct ChannelKey {
  int from, to, id;
  auto operator<=>(const ChannelKey&) const = default;
};

struct GroupKey {
  std::vector<int> members;
  int id;
  auto operator<=>(const GroupKey&) const = default;
};

class World {
 public:
  explicit World(int size);
  int size() const { return static_cast<int>(workers_.size()); }

  // A worker that found nothing to do sleeps until its bell has rung since events() returned `seen`, or `at_most`
  // later.
  std::uint64_t events(int worker) const { return workers_[index(worker)].events.load(); }
  void sleep(int worker, std::uint64_t seen, Clock::duration at_most);
  void ring(int worker);
  void ring_all();

  void note_progress(int worker);
  Clock::time_point last_progress() const;  // of any worker
  // Asked for when another worker reports, on its thread.
  void set_status(int worker, std::function<std::string()> status);
  std::vector<WorkerReport> reports() const;

  // Only the first call has an effect; returns whether this was it.
  bool abort(int worker, const std::string& cause);
  // Throws CommunicationError if a worker has aborted, as this worker is to hear it.
  void throw_if_aborted(int worker) const {
    if (aborted_.load(std::memory_order_acquire)) throw_cause(worker);
  }
  // After the first abort: who, and why.
  struct Cause {
    int worker;
    std::string text;
    // Without the name of the worker that gave up where it is the one that hears.
    std::string as_heard_by(int listener) const;
  };
  std::optional<Cause> cause() const;

  MeetingTable<ChannelKey, Mailbox> mailboxes;
  MeetingTable<GroupKey, SharedGroup> groups;
  MeetingTable<int, Gathering> gatherings;  // one key, 0

 private:
  // Apart from each other's cache lines: workers write their own entry all the time.
  struct alignas(64) Worker {
    std::atomic<std::uint64_t> events{0};
    std::atomic<bool> asleep{false};
    std::atomic<Clock::rep> last_progress{0};
    mutable std::mutex mutex;  // of the bell and the status
    std::condition_variable bell;
    std::function<std::string()> status;
  };
  static std::size_t index(int worker) { return static_cast<std::size_t>(worker); }
  [[noreturn]] void throw_cause(int worker) const;

  std::vector<Worker> workers_;
  std::atomic<bool> aborted_{false};
  mutable std::mutex cause_mutex_;
  std::optional<Cause> cause_;
};

}  // namespace pipedream::detail

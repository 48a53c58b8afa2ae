// News between workers beside their data: how far each is, what it does, and why one gives up.
//
// Every worker tells all others when it has made progress or does something else than before, at most once per
// interval; so a deadline can be the lack of progress anywhere. Used from the worker's thread, with the MPI lock held
// where a function says so.
#pragma once

#include <mpi.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transport/mpi/requests.h"
#include "transport/waiting.h"

namespace pipedream::detail {

class ControlPlane {
 public:
  // Collective.
  explicit ControlPlane(MPI_Comm parent);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }

  // Any thread, without the lock.
  void note_progress();
  void set_status(std::function<std::string()> status) { status_ = std::move(status); }
  void set_deadline(std::chrono::milliseconds deadline) { deadline_ = deadline; }
  std::chrono::milliseconds deadline() const { return deadline_; }

  // With the lock: hears the news, and tells its own when it is time.
  void poll();
  bool is_time_to_tell() const { return Clock::now() - last_told_ >= interval(); }
  // With the lock: tells all others, unless someone has given up before.
  void abort(const std::string& cause);

  // "worker 3: CAUSE" when another worker has given up, the cause alone when this one has.
  const std::optional<std::string>& failure() const { return failure_; }

  Clock::time_point last_progress() const;  // of any worker
  // No news of progress since `start` makes a wait give up at this time. Others tell of their progress with a delay.
  Clock::time_point deadline_from(Clock::time_point start) const;
  std::vector<WorkerReport> reports() const;

 private:
  enum class Kind : std::int32_t { heartbeat, abort };
  struct News {
    Kind kind;
    std::int32_t length;  // of the text
    std::uint64_t progress;
    std::array<char, 1536> text;
  };
  struct Peer {
    std::string status = "starting";
    std::uint64_t progress = 0;       // of others
    Clock::time_point last_progress;  // of others
    std::unique_ptr<News> outgoing;   // in use while `sends` are not complete
    Requests sends;
  };
  Clock::duration interval() const;
  void listen();
  void hear(const News& news, int from);
  void tell(Peer& peer, int rank, Kind kind, const std::string& text);
  void tell_progress();

  MPI_Comm comm_;
  int rank_ = 0;
  int size_ = 0;
  std::chrono::milliseconds deadline_ = kDefaultDeadline;
  std::function<std::string()> status_;
  std::vector<Peer> workers_;  // by rank, this one included
  std::atomic<std::uint64_t> progress_{0};
  std::atomic<Clock::rep> last_progress_;
  std::optional<std::string> failure_;
  std::unique_ptr<News> incoming_ = std::make_unique<News>();
  MPI_Request listening_ = MPI_REQUEST_NULL;
  Clock::time_point last_told_;  // long ago at first: others hear of this worker at once
  std::uint64_t told_progress_ = 0;
  std::string told_status_;
};

}  // namespace pipedream::detail

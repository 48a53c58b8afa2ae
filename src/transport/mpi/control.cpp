#include "transport/mpi/control.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "transport/mpi/library.h"

namespace pipedream::detail {

namespace {

constexpr int kTag = 0;
constexpr std::chrono::milliseconds kShortestInterval{50};
constexpr std::chrono::milliseconds kLongestInterval{500};

// A status is a few words; what is longer only fills the network.
constexpr std::size_t kLongestStatus = 200;

}  // namespace

ControlPlane::ControlPlane(MPI_Comm parent) : comm_(duplicate(parent)) {
  check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
  workers_.resize(static_cast<std::size_t>(size_));
  for (Peer& worker : workers_) worker.last_progress = Clock::now();
  last_progress_ = Clock::now().time_since_epoch().count();
  const MpiLock lock(mpi_mutex());
  listen();
}

// The MPI communicator itself is given back by MPI_Finalize: to free it is collective.
ControlPlane::~ControlPlane() {
  const MpiLock lock(mpi_mutex());
  int done = 0;
  MPI_Cancel(&listening_);
  for (int i = 0; i < 100 && done == 0; ++i) MPI_Test(&listening_, &done, MPI_STATUS_IGNORE);
  if (done == 0) leak(std::move(incoming_));
  for (Peer& worker : workers_) {
    if (!worker.sends.abandon_sends()) leak(std::move(worker.outgoing));
  }
}

void ControlPlane::note_progress() {
  progress_.fetch_add(1, std::memory_order_relaxed);
  last_progress_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

Clock::duration ControlPlane::interval() const {
  return std::clamp<Clock::duration>(deadline_ / 8, kShortestInterval, kLongestInterval);
}

void ControlPlane::listen() {
  check_mpi(MPI_Irecv(incoming_.get(), sizeof(News), MPI_BYTE, MPI_ANY_SOURCE, kTag, comm_, &listening_), "MPI_Irecv");
}

void ControlPlane::poll() {
  while (true) {
    int arrived = 0;
    MPI_Status status;
    check_mpi(MPI_Test(&listening_, &arrived, &status), "MPI_Test");
    if (arrived == 0) break;
    hear(*incoming_, status.MPI_SOURCE);
    listen();
  }
  if (is_time_to_tell()) tell_progress();
}

void ControlPlane::hear(const News& news, int from) {
  std::string text(news.text.data(), static_cast<std::size_t>(news.length));
  Peer& peer = workers_[static_cast<std::size_t>(from)];
  if (news.kind == Kind::abort) {
    if (!failure_) {
      failure_ = caused_by(from, text);
      note_failure(*failure_);
    }
    return;
  }
  peer.status = std::move(text);
  if (news.progress == peer.progress) return;
  peer.progress = news.progress;
  peer.last_progress = Clock::now();
}

void ControlPlane::tell(Peer& peer, int rank, Kind kind, const std::string& text) {
  if (!peer.outgoing) peer.outgoing = std::make_unique<News>();
  News& news = *peer.outgoing;
  news.kind = kind;
  news.progress = progress_.load();
  news.length = static_cast<std::int32_t>(std::min(text.size(), news.text.size()));
  std::memcpy(news.text.data(), text.data(), static_cast<std::size_t>(news.length));
  const auto bytes = static_cast<std::int64_t>(offsetof(News, text)) + news.length;
  peer.sends.send(&news, bytes, bytes, bytes, rank, kTag, comm_);
}

void ControlPlane::tell_progress() {
  last_told_ = Clock::now();
  Peer& self = workers_[static_cast<std::size_t>(rank_)];
  self.status = status_ ? status_().substr(0, kLongestStatus) : "running";
  const std::uint64_t progress = progress_.load();
  if (progress == told_progress_ && self.status == told_status_) return;
  bool all = true;
  for (int rank = 0; rank < size_; ++rank) {
    if (rank == rank_) continue;
    Peer& peer = workers_[static_cast<std::size_t>(rank)];
    // A peer that takes no messages gets no more of them.
    const bool free = peer.sends.test();
    if (free) tell(peer, rank, Kind::heartbeat, self.status);
    all = all && free;
  }
  if (!all) return;
  told_progress_ = progress;
  told_status_ = self.status;
}

void ControlPlane::abort(const std::string& cause) {
  if (failure_) return;
  failure_ = cause;
  note_failure(cause);
  for (int rank = 0; rank < size_; ++rank) {
    if (rank == rank_) continue;
    Peer& peer = workers_[static_cast<std::size_t>(rank)];
    // A heartbeat that is still under way keeps its buffer.
    if (!peer.sends.test()) leak(std::move(peer.outgoing));
    tell(peer, rank, Kind::abort, cause);
  }
}

Clock::time_point ControlPlane::last_progress() const {
  Clock::time_point latest{Clock::duration(last_progress_.load())};
  for (const Peer& worker : workers_) latest = std::max(latest, worker.last_progress);
  return latest;
}

Clock::time_point ControlPlane::deadline_from(Clock::time_point start) const {
  return std::max(start, last_progress()) + deadline_ + (size_ > 1 ? interval() : Clock::duration::zero());
}

std::vector<WorkerReport> ControlPlane::reports() const {
  std::vector<WorkerReport> reports;
  const Clock::time_point now = Clock::now();
  for (const Peer& worker : workers_) reports.push_back({worker.status, now - worker.last_progress});
  WorkerReport& self = reports[static_cast<std::size_t>(rank_)];
  self.since_progress = now - Clock::time_point(Clock::duration(last_progress_.load()));
  if (status_) self.status = status_();
  return reports;
}

}  // namespace pipedream::detail

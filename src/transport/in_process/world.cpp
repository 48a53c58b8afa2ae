#include "transport/in_process/world.h"

#include <algorithm>
#include <utility>

#include "pipedream/error.h"

namespace pipedream::detail {

World::World(int size) : workers_(index(size)) {
  for (int worker = 0; worker < size; ++worker) {
    note_progress(worker);
    set_status(worker, [] { return "starting"; });
  }
}

// `asleep` and `events` are sequentially consistent, so either the sleeper sees the event or the ringer sees the
// sleeper.
void World::sleep(int worker, std::uint64_t seen, Clock::duration at_most) {
  Worker& self = workers_[index(worker)];
  std::unique_lock lock(self.mutex);
  self.asleep.store(true);
  if (self.events.load() == seen) self.bell.wait_for(lock, at_most);
  self.asleep.store(false);
}

void World::ring(int worker) {
  Worker& other = workers_[index(worker)];
  other.events.fetch_add(1);
  if (!other.asleep.load()) return;
  const std::lock_guard lock(other.mutex);
  other.bell.notify_one();
}

void World::ring_all() {
  for (int worker = 0; worker < size(); ++worker) ring(worker);
}

void World::note_progress(int worker) {
  workers_[index(worker)].last_progress.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

Clock::time_point World::last_progress() const {
  Clock::rep latest = 0;
  for (const Worker& worker : workers_) {
    latest = std::max(latest, worker.last_progress.load(std::memory_order_relaxed));
  }
  return Clock::time_point(Clock::duration(latest));
}

void World::set_status(int worker, std::function<std::string()> status) {
  Worker& self = workers_[index(worker)];
  const std::lock_guard lock(self.mutex);
  self.status = std::move(status);
}

std::vector<WorkerReport> World::reports() const {
  std::vector<WorkerReport> reports;
  const Clock::duration now = Clock::now().time_since_epoch();
  for (const Worker& worker : workers_) {
    const Clock::duration last(worker.last_progress.load(std::memory_order_relaxed));
    const std::lock_guard lock(worker.mutex);
    reports.push_back({worker.status(), std::max(now - last, Clock::duration::zero())});
  }
  return reports;
}

bool World::abort(int worker, const std::string& cause) {
  {
    const std::lock_guard lock(cause_mutex_);
    if (cause_) return false;
    cause_ = Cause{worker, cause};
  }
  aborted_.store(true, std::memory_order_release);
  ring_all();
  return true;
}

std::optional<World::Cause> World::cause() const {
  const std::lock_guard lock(cause_mutex_);
  return cause_;
}

std::string World::Cause::as_heard_by(int listener) const {
  return listener == worker ? text : caused_by(worker, text);
}

void World::throw_cause(int worker) const { throw CommunicationError(cause().value().as_heard_by(worker)); }

}  // namespace pipedream::detail

#include "simulated/queues.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "simulated/state.h"

namespace pipedream::testing {

namespace {

constexpr std::int64_t kFirstQueue = 1 << 20;  // of the streams' numbers

// The stream's clock there is the point's.
class Record final : public QueuedWork {
 public:
  Record(const c10::Stream& stream, std::shared_ptr<Point> point) : stream_(stream), point_(std::move(point)) {}
  Outcome advance() override {
    point_->clock = SimulatedState::instance().clocks.now(stream_);
    point_->reached = true;
    return {.done = true, .moved = true};
  }

 private:
  c10::Stream stream_;
  std::shared_ptr<Point> point_;
};

class Wait final : public QueuedWork {
 public:
  Wait(const c10::Stream& stream, std::shared_ptr<Point> point) : stream_(stream), point_(std::move(point)) {}
  Outcome advance() override {
    if (!point_->reached) return {.done = false, .moved = false};
    SimulatedState::instance().clocks.come_after(stream_, point_->clock);
    return {.done = true, .moved = true};
  }

 private:
  c10::Stream stream_;
  std::shared_ptr<Point> point_;
};

}  // namespace

c10::Stream Queues::make_stream(int device) {
  static std::atomic<std::int64_t> next{kFirstQueue};
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(unused_.begin(), unused_.end(),
                                  [&](const c10::Stream& stream) { return stream.device_index() == device; });
  if (found != unused_.end()) {
    const c10::Stream stream = *found;
    unused_.erase(found);
    return stream;
  }
  return c10::Stream(c10::Stream::UNSAFE, device_at(device), next.fetch_add(1));
}

void Queues::give_back(const c10::Stream& stream) {
  const std::lock_guard lock(mutex_);
  unused_.push_back(stream);
}

bool Queues::is_queue(const c10::Stream& stream) { return stream.id() >= kFirstQueue; }

std::shared_ptr<Point> Queues::record(const c10::Stream& stream) {
  auto point = std::make_shared<Point>();
  if (is_queue(stream)) {
    push(stream, std::make_unique<Record>(stream, point));
  } else {
    point->clock = SimulatedState::instance().clocks.now(stream);
    point->reached = true;
  }
  return point;
}

void Queues::come_after(const c10::Stream& stream, const std::shared_ptr<Point>& point) {
  if (is_queue(stream)) {
    push(stream, std::make_unique<Wait>(stream, point));
    return;
  }
  await(*point);
  SimulatedState::instance().clocks.come_after(stream, point->clock);
}

bool Queues::is_reached(const Point& point) {
  const std::lock_guard lock(mutex_);
  return point.reached;
}

void Queues::await(const Point& point) {
  std::unique_lock lock(mutex_);
  moved_.wait(lock, [&] { return point.reached; });
}

void Queues::push(const c10::Stream& stream, std::unique_ptr<QueuedWork> work) {
  update([&] { queues_[key_of(stream)].push_back(std::move(work)); });
}

// Until nothing moves any more: what one queue does may be what another waits for.
void Queues::advance() {
  bool again = true;
  bool any = false;
  while (again) {
    again = false;
    for (auto& [key, queue] : queues_) {
      while (!queue.empty()) {
        const QueuedWork::Outcome outcome = queue.front()->advance();
        again = again || outcome.moved;
        if (!outcome.done) break;
        queue.pop_front();
      }
    }
    any = any || again;
  }
  std::erase_if(queues_, [](const auto& entry) { return entry.second.empty(); });
  if (any) moved_.notify_all();
}

}  // namespace pipedream::testing

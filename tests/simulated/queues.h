// Streams of the simulated device that are queues: what they are given waits in them until what it needs is there, as
// on a real device, while the thread that gave it goes on. The other streams work at once, in the thread itself; where
// one of them is to wait for a queue, its thread does: whatever a real device could still do then, it could not have
// done earlier, so that no order of queues that blocks on a device goes unseen.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "simulated/clocks.h"

namespace pipedream::testing {

// A point in a stream.
struct Point {
  VectorClock clock;
  bool reached = false;
};

// What waits at the head of a queue until it can be done. Used with the lock of the queues held.
class QueuedWork {
 public:
  virtual ~QueuedWork() = default;
  // Does what it can: whether that was all, and whether it was anything.
  struct Outcome {
    bool done;
    bool moved;
  };
  virtual Outcome advance() = 0;
};

class Queues {
 public:
  // One that was given back, if there is one: clocks know every stream that has ever been.
  c10::Stream make_stream(int device);
  void give_back(const c10::Stream& stream);
  static bool is_queue(const c10::Stream& stream);

  std::shared_ptr<Point> record(const c10::Stream& stream);
  // The stream's work from now on comes after the point; of a stream that is no queue, this thread waits for it.
  void come_after(const c10::Stream& stream, const std::shared_ptr<Point>& point);
  bool is_reached(const Point& point);
  void await(const Point& point);

  void push(const c10::Stream& stream, std::unique_ptr<QueuedWork> work);
  // Runs `change` with the lock held; what waits may then go on.
  template <class Change>
  void update(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    advance();
  }

 private:
  void advance();

  std::mutex mutex_;
  std::condition_variable moved_;
  std::map<StreamKey, std::deque<std::unique_ptr<QueuedWork>>> queues_;  // those that are not empty
  std::vector<c10::Stream> unused_;
};

}  // namespace pipedream::testing

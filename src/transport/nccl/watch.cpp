#include "transport/nccl/watch.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "pipedream/error.h"

namespace pipedream::detail {

namespace {

// A failure is noticed that late at most; deadlines are longer.
constexpr std::chrono::milliseconds kInterval{20};

}  // namespace

Watch::Watch(HostCommunicator& host) : host_(host), thread_([this](const std::stop_token& stop) { work(stop); }) {}

Watch::~Watch() {
  thread_.request_stop();
  thread_.join();
}

int Watch::add_lane(std::shared_ptr<NcclConnection> connection) {
  const std::lock_guard lock(mutex_);
  lanes_.push_back({std::move(connection), {}});
  return static_cast<int>(lanes_.size()) - 1;
}

void Watch::begin(int lane, const WaitedFor& operation) {
  const std::lock_guard lock(mutex_);
  lanes_[static_cast<std::size_t>(lane)].operations.push_back({operation, Clock::now(), std::nullopt});
}

void Watch::queued(int lane, StreamMark done) {
  const std::lock_guard lock(mutex_);
  lanes_[static_cast<std::size_t>(lane)].operations.back().done = std::move(done);
}

void Watch::set_deadline(std::chrono::milliseconds deadline) {
  const std::lock_guard lock(mutex_);
  deadline_ = deadline;
}

void Watch::throw_if_failed() {
  const std::lock_guard lock(mutex_);
  if (failure_) throw CommunicationError(*failure_);
}

void Watch::keep(const std::string& cause) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = cause;
}

void Watch::abort(const std::string& cause) noexcept {
  keep(cause);
  const std::lock_guard lock(mutex_);
  for (const Lane& lane : lanes_) lane.connection->abort();
}

void Watch::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::optional<std::string> failure;
    try {
      failure = look();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure) {
      // The worker's own words first, then the others, who need not wait for NCCL to end.
      keep(*failure);
      host_.abort(*failure);
      abort(*failure);
      return;
    }
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, stop, kInterval, [] { return false; });
  }
}

// Why to give up, if there is a reason.
std::optional<std::string> Watch::look() {
  const HostCommunicator::News news = host_.exchange_news(drop_done());
  if (news.failure) return news.failure;
  return own_failure(news.last_progress);
}

bool Watch::drop_done() {
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (Lane& lane : lanes_) {
    while (!lane.operations.empty() && lane.operations.front().is_done()) {
      lane.operations.pop_front();
      any = true;
    }
  }
  return any;
}

std::optional<std::string> Watch::own_failure(Clock::time_point last_progress) {
  std::unique_lock lock(mutex_);
  const Operation* oldest = nullptr;
  for (const Lane& lane : lanes_) {
    if (auto failure = lane.connection->failure()) return failure;
    if (lane.operations.empty()) continue;
    const Operation& first = lane.operations.front();
    if (oldest == nullptr || first.begun < oldest->begun) oldest = &first;
  }
  const Clock::time_point now = Clock::now();
  if (oldest == nullptr || now < std::max(oldest->begun, last_progress) + deadline_) return std::nullopt;
  const WaitedFor what = oldest->what;
  const Clock::duration waited = now - oldest->begun;
  const std::chrono::milliseconds deadline = deadline_;
  lock.unlock();
  return deadline_text(host_.rank(), what, waited, deadline, host_.reports());
}

}  // namespace pipedream::detail

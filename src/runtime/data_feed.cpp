#include "runtime/data_feed.h"

namespace pipedream::detail {
namespace {

// Microbatches fetched before they are asked for, and how many are left when fetching starts again: the thread wakes up
// once for several of them, since it may share its core with the worker.
constexpr std::size_t kAhead = 8;
constexpr std::size_t kRefill = kAhead / 2;

}  // namespace

DataFeed::DataFeed(const Dataset& data, const MicrobatchSampler& sampler, std::vector<std::string> names,
                   FeedRange range, torch::Device device)
    : data_(data), sampler_(sampler), names_(std::move(names)), range_(range), device_(device) {
  if (!names_.empty()) thread_ = std::thread([this] { work(); });
}

DataFeed::~DataFeed() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void DataFeed::work() {
  try {
    for (std::int64_t k = range_.first; k < range_.end; k += range_.step) {
      Tensors tensors;
      const auto rows = sampler_.rows(k);
      for (const std::string& name : names_) tensors.push_back(data_.fetch(name, rows).to(device_));
      std::unique_lock lock(mutex_);
      if (ready_.size() == kAhead) changed_.wait(lock, [this] { return stop_ || ready_.size() <= kRefill; });
      if (stop_) return;
      ready_.push_back(std::move(tensors));
      const bool awaited = ready_.size() == 1;
      lock.unlock();
      if (awaited) changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    error_ = std::current_exception();
    changed_.notify_all();
  }
}

Tensors DataFeed::next() {
  if (names_.empty()) return {};
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return error_ != nullptr || !ready_.empty(); });
  if (ready_.empty()) std::rethrow_exception(error_);
  Tensors tensors = std::move(ready_.front());
  ready_.pop_front();
  const bool refill = ready_.size() == kRefill;
  lock.unlock();
  if (refill) changed_.notify_all();
  return tensors;
}

}  // namespace pipedream::detail

#include "runtime/data_feed.h"

#include <algorithm>

namespace pipedream::detail {
namespace {

// Microbatches fetched before they are asked for: as many as have these bytes together, within these limits. Fetching
// starts again when half of them are left, so that the thread, which may share its core with the worker, wakes up once
// for several.
constexpr std::size_t kAheadBytes = 64 << 20;
constexpr std::size_t kLeastAhead = 2;
constexpr std::size_t kMostAhead = 16;

std::size_t count_ahead(const Tensors& microbatch) {
  std::size_t bytes = 1;
  for (const torch::Tensor& tensor : microbatch) bytes += tensor.nbytes();
  return std::clamp(kAheadBytes / bytes, kLeastAhead, kMostAhead);
}

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
      ahead_ = count_ahead(tensors);
      if (ready_.size() >= ahead_) changed_.wait(lock, [this] { return stop_ || ready_.size() <= ahead_ / 2; });
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
  const bool refill = ready_.size() == ahead_ / 2;
  lock.unlock();
  if (refill) changed_.notify_all();
  return tensors;
}

}  // namespace pipedream::detail

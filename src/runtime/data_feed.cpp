#include "runtime/data_feed.h"

#include <algorithm>

#include "transport/device.h"

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
                   FeedRange range, torch::Device device, MemoryWindow& memory)
    : data_(data),
      sampler_(sampler),
      names_(std::move(names)),
      range_(range),
      device_(device),
      memory_(memory),
      made_(device) {
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

// From page-locked memory the copy goes on while the host does other things.
DataFeed::Fetched DataFeed::fetch(std::int64_t microbatch) const {
  const auto metered = memory_.scope_of_helper();
  Fetched result;
  const auto rows = sampler_.rows(microbatch);
  for (const std::string& name : names_) {
    torch::Tensor tensor = data_.fetch(name, rows);
    if (!device_.is_cpu()) {
      if (tensor.is_cpu()) tensor = tensor.pin_memory();
      result.microbatch.host.push_back(tensor.is_cpu() ? tensor : torch::Tensor());
    }
    result.microbatch.tensors.push_back(tensor.to(device_, /*non_blocking=*/true));
  }
  result.arrived = StreamMark(device_);
  return result;
}

void DataFeed::work() {
  try {
    const StreamScope stream(make_stream(device_));
    made_.precede_work_of(device_);
    for (std::int64_t k = range_.first; k < range_.end; k += range_.step) {
      Fetched fetched = fetch(k);
      std::unique_lock lock(mutex_);
      ahead_ = count_ahead(fetched.microbatch.tensors);
      if (ready_.size() >= ahead_) changed_.wait(lock, [this] { return stop_ || ready_.size() <= ahead_ / 2; });
      if (stop_) return;
      ready_.push_back(std::move(fetched));
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

FedMicrobatch DataFeed::next() {
  if (names_.empty()) return {};
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return error_ != nullptr || !ready_.empty(); });
  if (ready_.empty()) std::rethrow_exception(error_);
  Fetched fetched = std::move(ready_.front());
  ready_.pop_front();
  const bool refill = ready_.size() == ahead_ / 2;
  lock.unlock();
  if (refill) changed_.notify_all();
  fetched.arrived.precede_work_of(device_);
  for (const torch::Tensor& tensor : fetched.microbatch.tensors) keep_for_current_stream(tensor);
  return std::move(fetched.microbatch);
}

}  // namespace pipedream::detail

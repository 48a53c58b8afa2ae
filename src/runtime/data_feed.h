// Fetches the data of a worker's microbatches ahead of their use, on a thread of its own, and on a stream of its own
// where they go to a device.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "pipedream/data.h"
#include "pipedream/layer_graph.h"
#include "runtime/memory_window.h"
#include "transport/stream_mark.h"

namespace pipedream::detail {

// The tensors of a microbatch by name.
struct FedMicrobatch {
  Tensors tensors;
  Tensors host;  // what they were copied from, where they are on a device
};

// Microbatches first, first + step, ... below end (numbers of the whole run).
struct FeedRange {
  std::int64_t first = 0;
  std::int64_t step = 1;
  std::int64_t end = 0;
};

class DataFeed {
 public:
  // names: the tensors to fetch; none: no thread is started. The data set and the memory window outlive the feed.
  DataFeed(const Dataset& data, const MicrobatchSampler& sampler, std::vector<std::string> names, FeedRange range,
           torch::Device device, MemoryWindow& memory);
  ~DataFeed();
  DataFeed(const DataFeed&) = delete;
  DataFeed& operator=(const DataFeed&) = delete;

  // The next microbatch of the range. Throws what the data set threw.
  FedMicrobatch next();

 private:
  struct Fetched {
    FedMicrobatch microbatch;
    StreamMark arrived;
  };
  void work();
  Fetched fetch(std::int64_t microbatch) const;

  const Dataset& data_;
  MicrobatchSampler sampler_;
  std::vector<std::string> names_;
  FeedRange range_;
  torch::Device device_;
  MemoryWindow& memory_;
  StreamMark made_;  // what the data set may hold on the device was written before
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Fetched> ready_;
  std::size_t ahead_ = 0;  // fetched before they are asked for
  std::exception_ptr error_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace pipedream::detail

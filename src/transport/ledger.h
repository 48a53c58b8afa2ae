// The rules that callers of channels and groups must keep, checked the same way by every backend.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pipedream/communicator.h"

namespace pipedream::detail {

// Counts posts and waits: at most `slots` posted and not yet waited for, no wait without a post. Throws ConfigError.
class Ledger {
 public:
  Ledger(std::string name, int slots) : name_(std::move(name)), slots_(slots) {}
  // Returns the index of the posted message, from 0.
  std::int64_t post() {
    if (posted_ - waited_ >= slots_) refuse_post();
    return posted_++;
  }
  // A wait takes the index of the oldest, and counts it when it has come.
  std::int64_t oldest() const {
    if (waited_ >= posted_) refuse_wait();
    return waited_;
  }
  void finish() { ++waited_; }
  std::int64_t posted() const { return posted_; }
  std::int64_t waited() const { return waited_; }
  const std::string& name() const { return name_; }

 private:
  [[noreturn]] void refuse_post() const;
  [[noreturn]] void refuse_wait() const;

  std::string name_;
  int slots_;
  std::int64_t posted_ = 0;
  std::int64_t waited_ = 0;
};

// The ids in use at one worker, to refuse the second use of one. peer is -1 for groups.
class OpenIds {
 public:
  void open(int peer, int id, const std::string& name);
  void close(int peer, int id) { open_.erase({peer, id}); }

 private:
  std::set<std::pair<int, int>> open_;
};

// "channel 3 from worker 0 to worker 1", "group 2 of workers 0, 3".
std::string channel_name(int from, int to, int id);
std::string group_name(const std::vector<int>& members, int id);

// ConfigError for what no channel or group can be.
void check_channel(int from, int to, int id, int size, ChannelOptions options);
void check_message(const Message& message, ChannelOptions options, const std::string& name);
// Returns this worker's place among the members.
int check_members(const std::vector<int>& members, int id, int rank, int size);
void check_addend(const at::Tensor& buffer, const std::vector<bool>& present, std::size_t members,
                  const std::string& name);

}  // namespace pipedream::detail

#include "transport/ledger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "pipedream/error.h"

namespace pipedream::detail {

void Ledger::refuse_post() const {
  throw ConfigError(fmt::format("{}: post of message {} before the wait for message {}, but it has {} slots", name_,
                                posted_, waited_, slots_));
}

void Ledger::refuse_wait() const {
  throw ConfigError(fmt::format("{}: wait for message {}, which was not posted", name_, waited_));
}

void OpenIds::open(int peer, int id, const std::string& name) {
  if (!open_.insert({peer, id}).second) throw ConfigError(name + " is open already");
}

std::string channel_name(int from, int to, int id) {
  return fmt::format("channel {} from worker {} to worker {}", id, from, to);
}

std::string group_name(const std::vector<int>& members, int id) {
  return fmt::format("group {} of workers {}", id, fmt::join(members, ", "));
}

void check_channel(int from, int to, int id, int size, ChannelOptions options) {
  const std::string name = channel_name(from, to, id);
  if (from < 0 || from >= size || to < 0 || to >= size || from == to) {
    throw ConfigError(fmt::format("{}: needs two different workers of 0 to {}", name, size - 1));
  }
  if (id < 0) throw ConfigError(name + ": ids are not negative");
  if (options.tensors < 0 || options.slots < 1) {
    throw ConfigError(
        fmt::format("{}: {} tensors and {} slots; needs at least 0 and 1", name, options.tensors, options.slots));
  }
}

void check_message(const Message& message, ChannelOptions options, const std::string& name) {
  if (message.tensors.size() != static_cast<std::size_t>(options.tensors)) {
    throw ConfigError(fmt::format("{}: a message of {} tensors, but it was opened for {}", name, message.tensors.size(),
                                  options.tensors));
  }
}

int check_members(const std::vector<int>& members, int id, int rank, int size) {
  const std::string name = group_name(members, id);
  const bool ascending = std::adjacent_find(members.begin(), members.end(), std::greater_equal<>()) == members.end();
  if (members.empty() || !ascending || members.front() < 0 || members.back() >= size || id < 0) {
    throw ConfigError(
        fmt::format("{}: needs an id that is not negative and ascending workers of 0 to {}", name, size - 1));
  }
  const auto place = std::find(members.begin(), members.end(), rank);
  if (place == members.end()) throw ConfigError(fmt::format("{} opened by worker {}", name, rank));
  return static_cast<int>(place - members.begin());
}

void check_addend(const at::Tensor& buffer, const std::vector<bool>& present, std::size_t members,
                  const std::string& name) {
  if (!buffer.defined() || buffer.dim() != 1 || !buffer.is_contiguous()) {
    throw ConfigError(name + ": the buffer of a sum must be a contiguous tensor of one dimension");
  }
  if (present.size() != members) {
    throw ConfigError(fmt::format("{}: `present` has {} entries for {} members", name, present.size(), members));
  }
}

}  // namespace pipedream::detail

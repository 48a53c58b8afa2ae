// Where threads that do the same thing for the n-th time find the object that they share for it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace pipedream::detail {

// The n-th join of each place under one key gets the same object, made by whoever comes first; the table forgets it
// when every place has it. So places may run ahead of each other, and names may be used again. Safe to call from all
// threads.
template <typename Key, typename Value>
class MeetingTable {
 public:
  std::shared_ptr<Value> join(const Key& key, int place, int places,
                              const std::function<std::shared_ptr<Value>()>& make) {
    const std::lock_guard lock(mutex_);
    Book& book = books_[key];
    book.joined.resize(static_cast<std::size_t>(places));
    const std::int64_t turn = book.joined[static_cast<std::size_t>(place)]++;
    auto [meeting, first] = book.open.try_emplace(turn, Meeting{nullptr, places});
    if (first) meeting->second.value = make();
    std::shared_ptr<Value> value = meeting->second.value;
    if (--meeting->second.missing == 0) book.open.erase(meeting);
    return value;
  }

 private:
  struct Meeting {
    std::shared_ptr<Value> value;
    int missing;
  };
  struct Book {
    std::vector<std::int64_t> joined;  // by place: how often
    std::map<std::int64_t, Meeting> open;
  };

  std::mutex mutex_;
  std::map<Key, Book> books_;
};

}  // namespace pipedream::detail

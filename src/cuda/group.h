// What a thread starts between start() and end() is one operation of NCCL.
//
// Within a group NCCL keeps pointers to its communicators. They stay locked until the group's end, so that none is
// aborted, and freed, before.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "cuda/connection.h"

namespace pipedream::detail {

class Group {
 public:
  // The calling thread's.
  static Group& of_this_thread();

  bool is_open() const { return depth_ > 0; }
  void start();
  // Returns when NCCL needs the host no more. `check` is called meanwhile and throws to give up.
  void end(const std::function<void()>& check = {});
  // Ends the group after a failure, whatever its depth; what it began is of no use to anybody. An end() that follows
  // finds no group, and does nothing.
  void drop() noexcept;

  // Keeps it locked until the end.
  void add(Connection& connection);
  bool holds(const Connection& connection) const;

 private:
  struct Held {
    Connection* connection = nullptr;
    std::unique_lock<std::mutex> lock;
  };

  int depth_ = 0;
  std::vector<Held> held_;
};

}  // namespace pipedream::detail

#include "cuda/group.h"

#include <algorithm>

#include "cuda/check.h"

namespace pipedream::detail {

Group& Group::of_this_thread() {
  thread_local Group group;
  return group;
}

void Group::start() {
  check_nccl(ncclGroupStart(), "ncclGroupStart");
  ++depth_;
}

void Group::end(const std::function<void()>& check) {
  if (depth_ == 0) return;
  --depth_;
  const ncclResult_t result = ncclGroupEnd();
  if (depth_ > 0) return check_nccl(result, "ncclGroupEnd");
  std::vector<Connection*> connections;
  for (const Held& held : held_) connections.push_back(held.connection);
  held_.clear();
  check_nccl(result, "ncclGroupEnd");
  for (Connection* connection : connections) connection->settle(check);
}

void Group::drop() noexcept {
  for (; depth_ > 0; --depth_) ncclGroupEnd();
  held_.clear();
}

void Group::add(Connection& connection) {
  if (!holds(connection)) held_.push_back({&connection, std::unique_lock(connection.mutex_)});
}

bool Group::holds(const Connection& connection) const {
  return std::any_of(held_.begin(), held_.end(), [&](const Held& held) { return held.connection == &connection; });
}

}  // namespace pipedream::detail

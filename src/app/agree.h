// What one worker finds wrong, all workers hear of, so that all end in the same way.
#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "pipedream/communicator.h"
#include "transport/agreement.h"

namespace pipedream::detail {

// Collective: runs `local`, which must not communicate, on every worker and returns its value. What it throws on any of
// them becomes the same ConfigError on all.
template <class F>
auto agreed(Communicator& comm, F local) {
  using Result = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<Result>) {
    agree(comm, [&]() -> Facts {
      local();
      return {};
    });
  } else {
    std::optional<Result> result;
    agree(comm, [&]() -> Facts {
      result.emplace(local());
      return {};
    });
    return Result(std::move(*result));
  }
}

// Runs `work` on every worker. A ConfigError is thrown on when every worker has one; when some of them do not stop for
// it, they are told, and it becomes a CommunicationError.
void stop_together(Communicator& comm, const std::function<void()>& work);

}  // namespace pipedream::detail

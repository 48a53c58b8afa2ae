// NCCL joins the buffers of two members when they first use them: the host of the one that comes first is held up until
// the other one comes. Receives that are posted ahead would wait like that for each other in a circle. So everything is
// used once when it is made.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cuda/connection.h"

namespace pipedream::detail {

// connections[i] is that of memberships[i], all on the current device. `check` is called meanwhile and throws to give
// up.
//
// Two members exchange messages, more of them add; two that are to add join the buffers of that at their first sum.
void use_once(const std::vector<std::unique_ptr<Connection>>& connections,
              const std::vector<NcclMembership>& memberships, torch::Device device, const std::function<void()>& check);

}  // namespace pipedream::detail

// The memory of messages under way.
#pragma once

#include <cstdint>
#include <vector>

#include "pipedream/plan.h"
#include "pipedream/simulate.h"

namespace pipedream::detail {

// Of one worker of the stage, for messages between processes: each channel has as many receives posted ahead, and as
// many sends that nobody has waited for, as it has slots (activations that were sent count where no more is in flight);
// and, with a delayed reduction, the parts of other replicas' gradients that are being summed. Threads hand tensors
// over: 0, though a copy or two is under way there too.
struct MessageMemory {
  std::vector<LinkCosts> links;  // of the plan
  bool one_process = false;
};
std::int64_t message_bytes(const Plan& plan, int stage, const MessageMemory& messages, std::int64_t parameter_bytes);

}  // namespace pipedream::detail

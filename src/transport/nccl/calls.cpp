#include "transport/nccl/calls.h"

#include "pipedream/nccl_communicator.h"

namespace pipedream {

namespace detail {

namespace {

NcclCalls* linked = nullptr;

}  // namespace

NcclCalls* linked_nccl_calls() { return linked; }
void set_linked_nccl_calls(NcclCalls& calls) { linked = &calls; }

}  // namespace detail

bool has_nccl() { return detail::linked_nccl_calls() != nullptr; }

}  // namespace pipedream

// NCCL's names of LibTorch's types.
#pragma once

#include <nccl.h>
#include <torch/types.h>

namespace pipedream::detail {

// Of tensors that are to be added. Throws ConfigError for types that NCCL cannot add.
ncclDataType_t nccl_type(torch::ScalarType type);

}  // namespace pipedream::detail

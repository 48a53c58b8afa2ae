#include "cuda/data_type.h"

#include <fmt/format.h>

#include "pipedream/error.h"

namespace pipedream::detail {

ncclDataType_t nccl_type(torch::ScalarType type) {
  switch (type) {
    case torch::kHalf:
      return ncclFloat16;
    case torch::kBFloat16:
      return ncclBfloat16;
    case torch::kFloat:
      return ncclFloat32;
    case torch::kDouble:
      return ncclFloat64;
    case torch::kByte:
      return ncclUint8;
    case torch::kChar:
      return ncclInt8;
    case torch::kInt:
      return ncclInt32;
    case torch::kLong:
      return ncclInt64;
    default:
      throw ConfigError(fmt::format("NCCL cannot add tensors of {}", c10::toString(type)));
  }
}

}  // namespace pipedream::detail

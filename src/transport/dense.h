// Tensors made fit to travel.
#pragma once

#include <torch/types.h>

#include <string>

namespace pipedream::detail {

// The tensor as it will arrive: without a graph, its elements without gaps or overlaps in its storage. It is the given
// tensor (same storage) where that is so already, and its dense copy otherwise. Throws ConfigError, naming `owner`, for
// layouts without strides (sparse and the like).
at::Tensor dense(const at::Tensor& tensor, const std::string& owner);

// The same, never sharing storage with the given tensor; an undefined tensor stays undefined.
at::Tensor dense_copy(const at::Tensor& tensor, const std::string& owner);

}  // namespace pipedream::detail

// The element types that LibTorch and the safetensors format share, and their names in the format.
#pragma once

#include <torch/types.h>

#include <optional>
#include <string_view>

namespace pipedream::detail {

std::optional<torch::ScalarType> safetensors_type(std::string_view name);

// Empty where the format has no such type.
std::string_view safetensors_name(torch::ScalarType type);

}  // namespace pipedream::detail

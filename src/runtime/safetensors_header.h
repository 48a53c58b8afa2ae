// The JSON header of a safetensors file: where each tensor lies in the data that follows it.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pipedream::detail {

// Readers of the format refuse longer headers.
inline constexpr std::uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

// Offsets are bytes from the first byte after the header.
struct SafetensorsEntry {
  std::string name = {};
  torch::ScalarType type = torch::kFloat32;
  std::vector<std::int64_t> shape = {};
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// In the order of the data, which they cover without overlap or gap. `file` is for messages. Throws ConfigError.
std::vector<SafetensorsEntry> parse_safetensors_header(std::string_view json, std::uint64_t data_bytes,
                                                       const std::string& file);

}  // namespace pipedream::detail

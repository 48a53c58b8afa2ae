// Weight files in the safetensors format (8 bytes of header length, JSON header, little-endian tensor data).
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace pipedream {

using NamedTensors = std::map<std::string, torch::Tensor>;

// Written to a temporary name, synced and renamed. Tensors are stored contiguous, by name, data aligned to 8 bytes.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

// Throws ConfigError that names the file and what is wrong with it (truncated, overlap, unknown dtype, ...).
NamedTensors read_safetensors(const std::filesystem::path& path);

}  // namespace pipedream

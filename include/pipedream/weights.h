// Weight files in the safetensors format (8 bytes of header length, JSON header, little-endian tensor data).
//
// All element types that LibTorch and the format share: BOOL, U8, I8, U16, I16, U32, I32, U64, I64, F16, BF16, F32,
// F64, C64 and the 8-bit floating-point types. Values are copied bit for bit. Files may be larger than 4 GiB. No state:
// any thread may call these.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace pipedream {

using NamedTensors = std::map<std::string, torch::Tensor>;

// Written to a temporary name, synced and renamed. Tensors are stored contiguous, those with the widest elements first
// and then by name, so that each starts at a multiple of its element's size. Throws ConfigError that names the file and
// the tensor: an element type that the format does not know, a tensor without dense data, a file that cannot be
// written.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata = {});

// Tensors on the CPU, each in its own aligned storage. Throws ConfigError that names the file, the tensor and what is
// wrong: truncated, header too long or no JSON, a field missing or of the wrong kind, duplicate name, unknown element
// type, offsets that do not fit shape and type, overlap, gap, data that no tensor uses.
NamedTensors read_safetensors(const std::filesystem::path& path);

}  // namespace pipedream

#include "runtime/safetensors_types.h"

#include <array>

namespace pipedream::detail {
namespace {

struct TypeName {
  torch::ScalarType type;
  std::string_view name;
};

constexpr std::array kTypeNames{
    TypeName{torch::kBool, "BOOL"},
    TypeName{torch::kUInt8, "U8"},
    TypeName{torch::kInt8, "I8"},
    TypeName{torch::kUInt16, "U16"},
    TypeName{torch::kInt16, "I16"},
    TypeName{torch::kUInt32, "U32"},
    TypeName{torch::kInt32, "I32"},
    TypeName{torch::kUInt64, "U64"},
    TypeName{torch::kInt64, "I64"},
    TypeName{torch::kFloat16, "F16"},
    TypeName{torch::kBFloat16, "BF16"},
    TypeName{torch::kFloat32, "F32"},
    TypeName{torch::kFloat64, "F64"},
    TypeName{torch::kComplexFloat, "C64"},
    TypeName{torch::kFloat8_e5m2, "F8_E5M2"},
    TypeName{torch::kFloat8_e4m3fn, "F8_E4M3"},
    TypeName{torch::kFloat8_e5m2fnuz, "F8_E5M2FNUZ"},
    TypeName{torch::kFloat8_e4m3fnuz, "F8_E4M3FNUZ"},
    TypeName{torch::kFloat8_e8m0fnu, "F8_E8M0"},
};

}  // namespace

std::optional<torch::ScalarType> safetensors_type(std::string_view name) {
  for (const TypeName& entry : kTypeNames) {
    if (entry.name == name) return entry.type;
  }
  return std::nullopt;
}

std::string_view safetensors_name(torch::ScalarType type) {
  for (const TypeName& entry : kTypeNames) {
    if (entry.type == type) return entry.name;
  }
  return {};
}

}  // namespace pipedream::detail

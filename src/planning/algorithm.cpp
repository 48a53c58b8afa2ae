#include "pipedream/algorithm.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "pipedream/error.h"

namespace pipedream {
namespace {

constexpr std::array kAlgorithms = {Algorithm::model_parallel, Algorithm::data_parallel, Algorithm::pipedream};

}  // namespace

std::span<const Algorithm> all_algorithms() { return kAlgorithms; }

std::string_view to_string(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::model_parallel:
      return "model-parallel";
    case Algorithm::data_parallel:
      return "data-parallel";
    case Algorithm::pipedream:
      return "pipedream";
  }
  throw ConfigError(fmt::format("algorithm number {} does not exist", static_cast<int>(algorithm)));
}

Algorithm parse_algorithm(std::string_view name) {
  std::string known;
  for (const Algorithm algorithm : kAlgorithms) {
    if (to_string(algorithm) == name) return algorithm;
    known += (known.empty() ? "" : ", ") + std::string(to_string(algorithm));
  }
  throw ConfigError(fmt::format("unknown algorithm \"{}\" (known: {})", name, known));
}

}  // namespace pipedream

// The training algorithms that the schedules implement, and their names on command lines and in files.
#pragma once

#include <span>
#include <string_view>

namespace pipedream {

enum class Algorithm {
  model_parallel,  // one microbatch at a time through all stages, one update a microbatch
  data_parallel,   // one stage, replicas in bulk-synchronous steps (BSP)
  pipedream,       // 1F1B(-RR) without flush, weight stashing (Narayanan et al., SOSP'19, section 3.3)
};

// All algorithms, in the order of the enumeration.
std::span<const Algorithm> all_algorithms();

// "model-parallel", "data-parallel", "pipedream".
std::string_view to_string(Algorithm algorithm);

// Throws ConfigError that lists the known names.
Algorithm parse_algorithm(std::string_view name);

}  // namespace pipedream

// What the planner takes a plan to cost when it looks for the best one, and the names on command lines and in files.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pipedream {

enum class CostModel {
  // The PipeDream paper (SOSP'19, section 3.1): stages max(C, 2 (m - 1) W / B) / m, cuts 2 a / B, levels inside out, at
  // most as many workers as there are; memory as the algorithm to be run needs it.
  pipedream,
  // The arithmetic of the optimizer released with the paper (github.com/msr-fiddle/pipedream), whose figures it gives:
  // reductions add to compute, all workers are used, memory is its own rule. docs/algorithms.md, "Cost models".
  pipedream_compat,
  // The least latency of an update of a synchronous pipeline (DAPPLE, PPoPP'21); memory is not looked at while it
  // searches. partitioner/dapple_latency.h has the formulas.
  dapple,
  // As many workers for each stage (PipeDream-2BW, ICML'21): stages max(c C + transfers, reduction / m), memory is its
  // own rule. partitioner/two_bw_planner.h has the formulas.
  two_bw,
  // The plans of the other models and what is near them, simulated: the fastest within the memory of the workers.
  // docs/algorithms.md, "Cost models".
  simulated,
};

// All models, in the order of the enumeration.
std::span<const CostModel> all_cost_models();

// "pipedream", "pipedream-compat", "dapple", "2bw", "simulated".
std::string_view to_string(CostModel model);

// All names, with commas between them.
std::string cost_model_names();

// Throws ConfigError that lists the known names.
CostModel parse_cost_model(std::string_view name);

}  // namespace pipedream

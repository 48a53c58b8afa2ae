// What is demanded of every layer before anything is trained: by the profiler of the whole model, by the trainer's
// probe of each stage. All throw ConfigError.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "pipedream/layer_graph.h"
#include "runtime/layer_build.h"

namespace pipedream::detail {

// "[2, 3], [2]"
std::string shapes(const Tensors& tensors);

// An exception's message without LibTorch's stack trace.
std::string reason(const std::exception& error);

void demand_outputs(const std::string& layer, const Tensors& outputs, std::size_t declared);

// parameter: its full name. Undefined and sparse gradients are refused.
void demand_gradient(const std::string& parameter, const torch::Tensor& gradient);

// Weights that a forward writes: seen by comparing them, and by the tensors' version counters (a write through
// variable_data moves none, a write of the same value changes nothing else).
class WriteCheck {
 public:
  WriteCheck(std::string layer, const LayerInstance& instance);
  void demand_unchanged() const;

 private:
  std::string layer_;
  NamedTensorList parameters_;
  Tensors values_;
  std::vector<std::uint32_t> versions_;
};

}  // namespace pipedream::detail

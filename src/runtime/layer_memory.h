// What one layer allocates in its forward and backward, and which storages live in between.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/profiled_model.h"
#include "runtime/profiler_probe.h"

namespace pipedream::detail {

struct InputMemory {
  std::size_t slot = 0;
  std::int64_t storage_bytes = 0;
  bool kept = false;
};

struct OutputMemory {
  std::size_t slot = 0;
  std::int64_t storage_bytes = 0;
  bool kept = false;
  bool own = false;                  // its storage was allocated by this forward and is that of no earlier output
  std::optional<std::size_t> alias;  // the input or earlier output whose storage it shares
};

struct LayerMemory {
  std::vector<InputMemory> inputs;  // each slot once
  std::vector<OutputMemory> outputs;
  std::int64_t kept_bytes = 0;  // without inputs and outputs
  std::int64_t forward_peak_bytes = 0;
  std::int64_t backward_peak_bytes = 0;
};

// Runs the layer forward and backward once, on copies of its inputs, gradients of ones coming in. The forward's peak
// is beyond the greater of what lives before and after it; the backward's beyond what lives before it, with the
// incoming gradients.
LayerMemory measure_layer_memory(const ProfiledModel& model, std::size_t layer, const ProbeResult& probe);

}  // namespace pipedream::detail

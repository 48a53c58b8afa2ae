// What each layer allocates: measured layer by layer, then told in the terms of LayerProfile.
//
// Memory belongs to storages, LayerProfile's flags to tensors. So that the sum over a stage's layers counts each
// storage once:
// - a tensor that shares the storage of its layer's input (a view, an in-place result) is never flagged; who keeps it
//   counts as that layer keeping its input;
// - a flag is set where all tensors that it stands for are kept; where only some are, their bytes are in kept_bytes;
// - data that is kept is in kept_bytes: it is no tensor of the profile;
// - where a kept tensor is part of a larger storage that its layer made, the rest is in the layer's kept_bytes.
#pragma once

#include <optional>
#include <vector>

#include "pipedream/profile.h"
#include "runtime/profiled_model.h"
#include "runtime/profiler_probe.h"

namespace pipedream::detail {

struct ModelMemory {
  std::vector<LayerProfile> layers;                 // bytes; times stay 0
  std::vector<std::optional<std::size_t>> view_of;  // by slot: the slot whose storage it is a view of
};
ModelMemory measure_memory(const ProfiledModel& model, const ProbeResult& probe);

// Payload of a message that carries this tensor.
std::int64_t tensor_bytes(const torch::Tensor& tensor);

}  // namespace pipedream::detail

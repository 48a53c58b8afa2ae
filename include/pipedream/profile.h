// A measured model: what each layer costs and which tensors join the layers.
//
// The file is JSON with "format": "pipedream-profile"; reading is strict: ConfigError with FILE: FIELD,
// or FILE:LINE:COLUMN where the text is no JSON; an unknown or missing field is refused.
// Times are microseconds for one microbatch, sizes are bytes for one microbatch unless the name says otherwise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pipedream/topology.h"

namespace pipedream {

struct LayerProfile {
  std::string name;
  double forward_us = 0;
  double backward_us = 0;
  std::int64_t parameter_bytes = 0;
  std::int64_t buffer_bytes = 0;  // running statistics and the like: state that no gradient reaches
  // Bytes that live from the forward to the backward, without the layer's inputs and outputs; whether those are kept
  // too is said by the two flags (adding outputs to kept bytes would count tensors twice).
  std::int64_t kept_bytes = 0;
  bool keeps_input = false;
  bool keeps_output = false;
  // Model inputs that it uses, also those that are kept.
  std::int64_t data_bytes = 0;
  // Greatest extra allocation while the pass runs: of the forward beyond what lives before or after it, of the backward
  // beyond what lives before it, gradients that came in included.
  std::int64_t forward_peak_bytes = 0;
  std::int64_t backward_peak_bytes = 0;
};

// A named tensor that a layer makes. Model inputs are no tensors of the profile: the stage that uses one fetches it.
struct TensorProfile {
  std::string name;
  std::string producer;                // layer
  std::vector<std::string> consumers;  // layers, in graph order, once per use
  std::int64_t bytes = 0;
  bool requires_gradient = true;
  // The tensor whose storage it is a view of, one that its producer uses or makes; empty: it has its own.
  std::string view_of = {};
};

struct Profile {
  std::string graph_hash;  // of the layer graph it was measured on (LayerGraph::hash)
  std::string device;      // what it was measured on, for people
  std::int64_t microbatch_size = 0;
  int workers_computing = 1;  // how many workers of one machine computed at the same time
  int threads_per_worker = 1;
  std::vector<LayerProfile> layers;    // graph order: topological; the loss is the last layer
  std::vector<TensorProfile> tensors;  // in the order of their producers
  // The whole model run at once, to be held against the sum of the layers.
  double whole_forward_us = 0;
  double whole_backward_us = 0;
  // Links between the workers it was measured with; no levels when it was measured by one worker.
  Topology topology;
};

// (sum of layers - whole model) / whole model, forward and backward together; 0 where the whole was not measured.
double sum_discrepancy(const Profile& profile);

// Throws ConfigError naming the field and the layer or tensor: negative or non-finite values, duplicates, dangling
// names, a cycle, a producer after its consumer, a layer that does not lead to the loss, sums past 2^63.
void validate(const Profile& profile);

Profile read_profile(const std::filesystem::path& path);
void write_profile(const Profile& profile, const std::filesystem::path& path);

// The file's text, for instance to send it; `source` names it in messages.
Profile parse_profile(std::string_view json, const std::string& source);
std::string to_json(const Profile& profile);

}  // namespace pipedream

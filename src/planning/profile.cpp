#include "pipedream/profile.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>

#include "planning/config_error.h"
#include "planning/profile_graph.h"

namespace pipedream {
namespace {

using detail::throw_config_error;

// field() names it, where there is an error.
template <class Field>
void check_time(double value, const Field& field, const std::string& layer) {
  if (std::isnan(value)) throw_config_error("{} of \"{}\": is not a number (NaN)", field(), layer);
  if (std::isinf(value)) throw_config_error("{} of \"{}\": is infinite", field(), layer);
  if (value < 0) throw_config_error("{} of \"{}\": must not be negative, found {}", field(), layer, value);
}

// Adds to a sum that must stay below 2^63.
template <class Field>
void add_bytes(std::int64_t bytes, const Field& field, const std::string& name, std::int64_t& sum) {
  if (bytes < 0) throw_config_error("{} of \"{}\": must not be negative, found {}", field(), name, bytes);
  if (bytes > std::numeric_limits<std::int64_t>::max() - sum) {
    throw_config_error("{} of \"{}\": with it the sizes of this profile add up to 2^63 bytes or more", field(), name);
  }
  sum += bytes;
}

void check_head(const Profile& profile) {
  if (profile.microbatch_size < 0)
    throw_config_error("microbatch_size: must not be negative, found {}", profile.microbatch_size);
  if (profile.workers_computing < 1)
    throw_config_error("workers_computing: must be at least 1, found {}", profile.workers_computing);
  if (profile.threads_per_worker < 1) {
    throw_config_error("threads_per_worker: must be at least 1, found {}", profile.threads_per_worker);
  }
  check_time(
      profile.whole_forward_us, [] { return "whole_forward_us"; }, "the whole model");
  check_time(
      profile.whole_backward_us, [] { return "whole_backward_us"; }, "the whole model");
  if (profile.layers.empty()) throw_config_error("layers: the profile has none");
}

void check_layers(const Profile& profile, std::int64_t& total_bytes) {
  double total_us = 0;
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < profile.layers.size(); ++i) {
    const LayerProfile& layer = profile.layers[i];
    const auto field = [i](const char* name) { return [=] { return fmt::format("layers[{}].{}", i, name); }; };
    if (layer.name.empty()) throw_config_error("layers[{}].name: is empty", i);
    const auto [other, fresh] = seen.emplace(layer.name, i);
    if (!fresh)
      throw_config_error("layers[{}].name: \"{}\" is also the name of layers[{}]", i, layer.name, other->second);
    check_time(layer.forward_us, field("forward_us"), layer.name);
    check_time(layer.backward_us, field("backward_us"), layer.name);
    add_bytes(layer.parameter_bytes, field("parameter_bytes"), layer.name, total_bytes);
    add_bytes(layer.buffer_bytes, field("buffer_bytes"), layer.name, total_bytes);
    add_bytes(layer.kept_bytes, field("kept_bytes"), layer.name, total_bytes);
    add_bytes(layer.data_bytes, field("data_bytes"), layer.name, total_bytes);
    add_bytes(layer.forward_peak_bytes, field("forward_peak_bytes"), layer.name, total_bytes);
    add_bytes(layer.backward_peak_bytes, field("backward_peak_bytes"), layer.name, total_bytes);
    total_us += layer.forward_us + layer.backward_us;
    if (!std::isfinite(total_us))
      throw_config_error("layers[{}]: with \"{}\" the times add up to infinity", i, layer.name);
  }
}

void check_tensors(const Profile& profile, std::int64_t& total_bytes) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < profile.tensors.size(); ++i) {
    const TensorProfile& tensor = profile.tensors[i];
    if (tensor.name.empty()) throw_config_error("tensors[{}].name: is empty", i);
    const auto [other, fresh] = seen.emplace(tensor.name, i);
    if (!fresh)
      throw_config_error("tensors[{}].name: \"{}\" is also the name of tensors[{}]", i, tensor.name, other->second);
    add_bytes(
        tensor.bytes, [i] { return fmt::format("tensors[{}].bytes", i); }, tensor.name, total_bytes);
  }
}

}  // namespace

double sum_discrepancy(const Profile& profile) {
  const double whole = profile.whole_forward_us + profile.whole_backward_us;
  double sum = 0;
  for (const LayerProfile& layer : profile.layers) sum += layer.forward_us + layer.backward_us;
  return whole > 0 ? (sum - whole) / whole : 0;
}

void validate(const Profile& profile) {
  std::int64_t total_bytes = 0;
  check_head(profile);
  check_layers(profile, total_bytes);
  check_tensors(profile, total_bytes);
  detail::validate_graph(profile);
  try {
    validate(profile.topology);
  } catch (const ConfigError& error) {
    throw_config_error("topology.{}", error.what());
  }
}

}  // namespace pipedream

#include "pipedream/profile.h"
#include "planning/atomic_file.h"
#include "planning/json_fields.h"
#include "planning/topology_file.h"

namespace pipedream {
namespace detail {

template <class Fields>
void describe(Fields& fields, LayerProfile& layer) {
  fields.required("name", layer.name);
  fields.required("forward_us", layer.forward_us);
  fields.required("backward_us", layer.backward_us);
  fields.required("parameter_bytes", layer.parameter_bytes);
  fields.required("buffer_bytes", layer.buffer_bytes);
  fields.required("kept_bytes", layer.kept_bytes);
  fields.required("keeps_input", layer.keeps_input);
  fields.required("keeps_output", layer.keeps_output);
  fields.required("forward_peak_bytes", layer.forward_peak_bytes);
  fields.required("backward_peak_bytes", layer.backward_peak_bytes);
}

template <class Fields>
void describe(Fields& fields, TensorProfile& tensor) {
  fields.required("name", tensor.name);
  fields.required("producer", tensor.producer);
  fields.required("consumers", tensor.consumers);
  fields.required("bytes", tensor.bytes);
  fields.required("requires_gradient", tensor.requires_gradient);
}

template <class Fields>
void describe(Fields& fields, Profile& profile) {
  fields.required("graph_hash", profile.graph_hash);
  fields.required("device", profile.device);
  fields.required("microbatch_size", profile.microbatch_size);
  fields.required("workers_computing", profile.workers_computing);
  fields.required("threads_per_worker", profile.threads_per_worker);
  fields.required("whole_forward_us", profile.whole_forward_us);
  fields.required("whole_backward_us", profile.whole_backward_us);
  fields.required("topology", profile.topology);
  fields.required("layers", profile.layers);
  fields.required("tensors", profile.tensors);
}

}  // namespace detail

namespace {

constexpr const char* kProfileFormat = "pipedream-profile";

}  // namespace

Profile parse_profile(std::string_view json, const std::string& source) {
  auto profile = detail::read_document<Profile>(json, source, kProfileFormat);
  detail::with_source(source, [&] { validate(profile); });
  return profile;
}

std::string to_json(const Profile& profile) {
  validate(profile);
  return detail::document_text(profile, kProfileFormat);
}

Profile read_profile(const std::filesystem::path& path) { return parse_profile(read_whole_file(path), path.string()); }

void write_profile(const Profile& profile, const std::filesystem::path& path) {
  write_file_atomically(path, to_json(profile));
}

}  // namespace pipedream

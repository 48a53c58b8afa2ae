#include "planning/topology_file.h"

#include "planning/atomic_file.h"
#include "planning/json_fields.h"

namespace pipedream {
namespace {

constexpr const char* kTopologyFormat = "pipedream-topology";

}  // namespace

Topology parse_topology(std::string_view json, const std::string& source) {
  auto topology = detail::read_document<Topology>(json, source, kTopologyFormat);
  detail::with_source(source, [&] { validate(topology); });
  return topology;
}

std::string to_json(const Topology& topology) {
  validate(topology);
  return detail::document_text(topology, kTopologyFormat);
}

Topology read_topology(const std::filesystem::path& path) {
  return parse_topology(read_whole_file(path), path.string());
}

void write_topology(const Topology& topology, const std::filesystem::path& path) {
  write_file_atomically(path, to_json(topology));
}

}  // namespace pipedream

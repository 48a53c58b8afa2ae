#include "fuzz/reader.h"
#include "pipedream/import.h"
#include "planning/artifact_graph.h"

namespace {

using Nodes = std::vector<pipedream::detail::ArtifactNode>;

std::string to_text(const Nodes& nodes) {
  return pipedream::detail::artifact_text(nodes, std::vector<int>(nodes.size(), -1));
}

}  // namespace

// First the lines, which have a writer, then what import makes of them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pipedream::testing::check_reader(
      data, size, [](const std::string& text) { return pipedream::detail::parse_artifact_nodes(text, "input"); },
      to_text);
  return pipedream::testing::check_reader(
      data, size, [](const std::string& text) { return pipedream::parse_artifact_graph(text, "input"); },
      [](const auto& profile) { return pipedream::to_json(profile); },
      [](const std::string& text) { return pipedream::parse_profile(text, "written"); });
}

// The text of the artifact's graph.txt as it stands, before anything is dropped or added.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pipedream::detail {

struct ArtifactNode {
  std::string id;
  std::string description;
  double forward_us = 0;
  double backward_us = 0;
  std::int64_t activation_bytes = 0;
  std::int64_t parameter_bytes = 0;
  std::vector<int> consumers;  // as positions in the file, once per use
  std::vector<int> producers;
};

// In the order of the file. Throws ConfigError with FILE:LINE: a line that is neither node nor edge, a field that is
// missing, unknown or no such number, a node twice, an edge of an unknown node.
std::vector<ArtifactNode> parse_artifact_nodes(std::string_view text, const std::string& source);

}  // namespace pipedream::detail

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
  std::vector<int> consumers = {};  // as positions in the file, once per use
  std::vector<int> producers = {};
};

// In the order of the file. Throws ConfigError with FILE:LINE: a line that is neither node nor edge, a field that is
// missing, unknown or no such number, a node twice, an edge of an unknown node.
std::vector<ArtifactNode> parse_artifact_nodes(std::string_view text, const std::string& source);

// The same format, with the stage of each node behind it (-1: none); edges stand in the order of the nodes that use
// them. Times are such that parsing gives the same bits. Throws ConfigError: an identifier or a size that the format
// cannot hold.
std::string artifact_text(const std::vector<ArtifactNode>& nodes, const std::vector<int>& stages);

// The double nearest to a decimal number times a power of ten; the text is one that from_chars reads.
double times_power_of_ten(std::string_view decimal, int power);

// Past this not every whole number is a double; the artifact writes sizes as such.
constexpr std::int64_t kMostArtifactBytes = std::int64_t{1} << 53;

}  // namespace pipedream::detail

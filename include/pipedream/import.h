// Profiles of PipeDream's published artifact (graph.txt), read into ours.
//
// The text has one line a node, `ID -- DESCRIPTION -- forward_compute_time=MS, backward_compute_time=MS,
// activation_size=BYTES or [BYTES; BYTES; ...], parameter_size=BYTES`, then one line an edge, `<tab>FROM -- TO`.
// Reading is strict: ConfigError with FILE:LINE: what.
//
// - A layer has the node's identifier as its name; layers are in topological order, as near to the file's as that
//   allows, and what a node makes is one tensor with all its users.
// - Nodes whose description starts with "Input" and that nothing flows into are no layers: the stages that use an input
//   fetch it. Nodes `__getitem__` that nothing uses are dropped. The artifact's optimizer does both.
// - Where several nodes end the graph, a layer "loss" that costs nothing joins them.
// - What the artifact did not measure is 0; every layer is said to keep its output for the backward.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "pipedream/profile.h"

namespace pipedream {

Profile import_profile(const std::filesystem::path& path);

// `source` names the text in messages.
Profile parse_artifact_graph(std::string_view text, const std::string& source);

}  // namespace pipedream

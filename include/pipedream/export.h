// Plans as stage maps of PipeDream's published artifact: its graph.txt with ` -- stage_id=S` behind each node, which
// its tools make the modules of the stages of (convert_graph_to_model.py). pipedream/import.h has the format, and reads
// such a file as it reads one without stages.
#pragma once

#include <string>
#include <string_view>

#include "pipedream/plan.h"
#include "pipedream/profile.h"

namespace pipedream {

// A node for each layer of the profile, described as "Layer", since a profile does not say what its layers are. The
// tensors that a layer makes are one. Throws ConfigError where plan and profile do not belong together, a layer's name
// or size is none that the format can hold.
std::string artifact_stage_map(const Plan& plan, const Profile& profile);

// The nodes of a graph.txt as they are described there; `source` names it in messages. Nodes that import leaves out
// have a stage too: inputs the first, what nothing uses that of its producer. Throws ConfigError as import does, and
// where the plan is not of this graph.
std::string artifact_stage_map(const Plan& plan, std::string_view graph, const std::string& source);

// The number of replicas of each stage as the artifact's tools want it: "0:15,1:1".
std::string artifact_replicas(const Plan& plan);

}  // namespace pipedream

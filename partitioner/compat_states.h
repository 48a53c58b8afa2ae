// The states and sizes that the released optimizer of PipeDream plans with; not those of partitioner/states.h.
//
// It starts with the first layer of the graph and adds, time and again, a layer that uses one that is there already,
// with all its ancestors: not all ideals are reached that way. What it takes for the bytes of a cut is the output of
// the state's last layers (those with no user inside) and of every ancestor p of one of them, v, that has a user which
// is neither v nor an ancestor of v: also users that are inside.
#pragma once

#include <cstdint>
#include <vector>

#include "partitioner/states.h"
#include "pipedream/profile.h"

namespace pipedream::detail {

struct CompatGraph {
  PlanningStates states;
  // By state.
  std::vector<std::int64_t> cut_bytes;
  std::vector<std::int64_t> activation_bytes;  // of the outputs of all its layers
};

// A last layer that costs nothing and has several inputs only joins the ends of a graph (pipedream/import.h): it makes
// no state of its own. Throws ConfigError: a layer that cannot be reached from the first one, more than 5,000 states
// beside as many as there are layers.
CompatGraph compat_graph(const Profile& profile);

}  // namespace pipedream::detail

// Everyone's bytes, to everyone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "transport/mpi/engine.h"

namespace pipedream::detail {

// Collective over the workers of the engine.
std::vector<std::string> gather(Engine& engine, std::string_view bytes);

}  // namespace pipedream::detail

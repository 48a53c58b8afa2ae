// Layers, states and counts are ints; what stands at their place in a vector.
#pragma once

#include <cstddef>

namespace pipedream::detail {

inline std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace pipedream::detail

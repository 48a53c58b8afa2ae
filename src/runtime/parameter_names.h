// Parameters and buffers are named "layer.parameter"; both parts may have dots of their own.
#pragma once

#include <string>

namespace pipedream::detail {

// The longest name before a dot that `is_layer` accepts; empty where there is none.
template <class IsLayer>
std::string layer_of(const std::string& parameter, IsLayer is_layer) {
  for (std::size_t dot = parameter.rfind('.'); dot != std::string::npos && dot > 0;
       dot = parameter.rfind('.', dot - 1)) {
    std::string layer = parameter.substr(0, dot);
    if (is_layer(layer)) return layer;
  }
  return {};
}

}  // namespace pipedream::detail

// One line instead of `throw ConfigError(fmt::format(...))`, where a file says many things of this kind.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "pipedream/error.h"

namespace pipedream::detail {

template <class... Args>
[[noreturn]] void throw_config_error(fmt::format_string<Args...> format, Args&&... args) {
  throw ConfigError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace pipedream::detail

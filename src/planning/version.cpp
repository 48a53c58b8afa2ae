#include "pipedream/version.h"

namespace pipedream {

std::string_view version() noexcept { return kVersion; }

}  // namespace pipedream

// The profiles of PipeDream's artifact, for tests that use them where they are present: the environment variable
// PIPEDREAM_PROFILES names a folder with MODEL/graph.txt. The project does not carry them.
#pragma once

#include <optional>
#include <string>

#include "pipedream/profile.h"

namespace pipedream::testing {

// Empty, with a warning in the test's output: there is none, and the test has nothing to do.
std::optional<Profile> artifact_profile(const std::string& model);

}  // namespace pipedream::testing

#include "artifact_profiles.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "pipedream/import.h"

namespace pipedream::testing {

std::optional<Profile> artifact_profile(const std::string& model) {
  const char* folder = std::getenv("PIPEDREAM_PROFILES");
  if (!folder) {
    WARN("skipped: PIPEDREAM_PROFILES names no folder with " << model << "/graph.txt");
    return std::nullopt;
  }
  const std::filesystem::path path = std::filesystem::path(folder) / model / "graph.txt";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: there is no " << path);
    return std::nullopt;
  }
  return import_profile(path);
}

}  // namespace pipedream::testing

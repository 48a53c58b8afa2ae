#include "pipedream/version.h"

#include <catch2/catch.hpp>

TEST_CASE("the linked library has the version of its headers") { CHECK(pipedream::version() == pipedream::kVersion); }

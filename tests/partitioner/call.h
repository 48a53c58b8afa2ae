// Calls of the command `pipedream`, as from a shell.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "partitioner/command.h"

namespace pipedream::testing {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

inline Outcome call(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = pipedream_command(arguments, out, err);
  return {code, out.str(), err.str()};
}

// One line on stderr, nothing on stdout, exit code 2.
inline std::string usage_error(const std::vector<std::string>& arguments) {
  const Outcome outcome = call(arguments);
  CHECK(outcome.code == 2);
  CHECK(outcome.out.empty());
  CHECK_THAT(outcome.err, Catch::StartsWith("pipedream: "));
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  return outcome.err;
}

}  // namespace pipedream::testing

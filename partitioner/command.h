// The command `pipedream`, callable from tests.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace pipedream {

// `arguments` without the program's name. Returns the exit code: 0; 2 after one line on `err` for a mistake in usage or
// input; 3 for a failure while running. Does not throw.
int pipedream_command(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace pipedream

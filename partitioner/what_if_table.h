// Answers of what_if for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "pipedream/what_if.h"

namespace pipedream {

// One line an answer; under the table why those without a plan have none.
std::string what_if_table(const std::vector<WhatIfAnswer>& answers);

// "format": "pipedream-what-if".
std::string what_if_json(const std::vector<WhatIfAnswer>& answers);

}  // namespace pipedream

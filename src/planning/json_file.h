// Strict JSON: text to a tree and back, with messages that say where.
//
// A message starts with FILE:LINE:COLUMN for text that is no JSON, with FILE: PATH (as in "layers[3].forward_us") for
// a value that does not fit.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace pipedream::detail {

// `source` names the text in messages. Throws ConfigError: no JSON, a number out of range, a field twice in one object.
nlohmann::json parse_json(std::string_view text, const std::string& source);

// Two spaces of indentation, numbers such that reading gives the same bits. Throws ConfigError for a string that is not
// UTF-8.
std::string json_text(const nlohmann::ordered_json& value);

}  // namespace pipedream::detail

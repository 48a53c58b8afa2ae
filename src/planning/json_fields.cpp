#include "planning/json_fields.h"

#include <fmt/format.h>

#include <limits>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

// What stands there, short enough for a message.
std::string shown(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  std::string text = value.dump();
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

}  // namespace

void JsonPlace::fail(const std::string& what) const {
  throw ConfigError(path.empty() ? fmt::format("{}: {}", source, what) : fmt::format("{}: {}: {}", source, path, what));
}

JsonPlace JsonPlace::field(const char* name) const { return {source, path.empty() ? name : path + "." + name}; }

JsonPlace JsonPlace::element(std::size_t index) const { return {source, fmt::format("{}[{}]", path, index)}; }

void read_value(const json& value, const JsonPlace& place, double& result) {
  if (!value.is_number()) place.fail(fmt::format("must be a number, found {}", shown(value)));
  result = value.get<double>();
  if (result < 0) place.fail(fmt::format("must not be negative, found {}", shown(value)));
}

void read_value(const json& value, const JsonPlace& place, std::int64_t& result) {
  if (!value.is_number()) place.fail(fmt::format("must be a whole number, found {}", shown(value)));
  const bool past_64_bits = value.is_number_float() && value.get<double>() >= 0x1p63;
  const bool past_63_bits = value.is_number_unsigned() &&
                            value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()};
  if (past_64_bits || past_63_bits) place.fail(fmt::format("must be below 2^63, found {}", shown(value)));
  if (value.is_number_float()) place.fail(fmt::format("must be a whole number, found {}", shown(value)));
  result = value.get<std::int64_t>();
  if (result < 0) place.fail(fmt::format("must not be negative, found {}", shown(value)));
}

void read_value(const json& value, const JsonPlace& place, int& result) {
  std::int64_t wide = 0;
  read_value(value, place, wide);
  if (wide > std::numeric_limits<int>::max()) place.fail(fmt::format("must be below 2^31, found {}", wide));
  result = static_cast<int>(wide);
}

void read_value(const json& value, const JsonPlace& place, bool& result) {
  if (!value.is_boolean()) place.fail(fmt::format("must be true or false, found {}", shown(value)));
  result = value.get<bool>();
}

void read_value(const json& value, const JsonPlace& place, std::string& result) {
  if (!value.is_string()) place.fail(fmt::format("must be a string, found {}", shown(value)));
  result = value.get<std::string>();
}

void read_value(const json& value, const JsonPlace& place, Algorithm& result) {
  std::string name;
  read_value(value, place, name);
  try {
    result = parse_algorithm(name);
  } catch (const ConfigError& error) {
    place.fail(error.what());
  }
}

void require_array(const json& value, const JsonPlace& place) {
  if (!value.is_array()) place.fail(fmt::format("must be an array, found {}", shown(value)));
}

JsonReader::JsonReader(const json& object, const JsonPlace& place) : object_(object), place_(place) {
  if (!object.is_object()) place.fail(fmt::format("must be an object, found {}", shown(object)));
}

const json* JsonReader::find(const char* name) {
  known_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() ? nullptr : &*found;
}

const json& JsonReader::find_required(const char* name) {
  const json* found = find(name);
  if (!found) place_.fail(fmt::format("the field \"{}\" is missing", name));
  return *found;
}

void JsonReader::refuse_unknown() const {
  for (const auto& item : object_.items()) {
    if (!known_.contains(item.key())) {
      place_.fail(fmt::format("unknown field \"{}\" (known: {})", item.key(), fmt::join(known_, ", ")));
    }
  }
}

void check_format(const JsonPlace& place, const std::string& found, const char* expected, int version) {
  if (found != expected) place.field("format").fail(fmt::format("must be \"{}\", found \"{}\"", expected, found));
  if (version != kVersion) {
    place.field("version").fail(fmt::format("this library reads version {}, found {}", kVersion, version));
  }
}

}  // namespace pipedream::detail

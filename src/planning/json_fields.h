// One description of a type's fields serves its reader and its writer, so that they cannot disagree.
//
// A type T has a function template `describe(fields, value)` in pipedream::detail that calls fields.required(name,
// member) or fields.optional(name, member) for each member, in the order of the file. JsonReader refuses what the
// description does not name; JsonWriter writes everything. Numbers in our files are counts, sizes, times and rates:
// none is ever negative, and the reader says so.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "pipedream/algorithm.h"
#include "pipedream/error.h"
#include "planning/json_file.h"

namespace pipedream::detail {

// A value and where it stands, for messages.
struct JsonPlace {
  const std::string& source;
  std::string path;

  [[noreturn]] void fail(const std::string& what) const;
  JsonPlace field(const char* name) const;
  JsonPlace element(std::size_t index) const;
};

void read_value(const nlohmann::json& json, const JsonPlace& place, double& value);
void read_value(const nlohmann::json& json, const JsonPlace& place, std::int64_t& value);
void read_value(const nlohmann::json& json, const JsonPlace& place, int& value);
void read_value(const nlohmann::json& json, const JsonPlace& place, bool& value);
void read_value(const nlohmann::json& json, const JsonPlace& place, std::string& value);
void read_value(const nlohmann::json& json, const JsonPlace& place, Algorithm& value);
void require_array(const nlohmann::json& json, const JsonPlace& place);

template <class T>
void read_value(const nlohmann::json& json, const JsonPlace& place, T& value);

template <class T>
void read_value(const nlohmann::json& json, const JsonPlace& place, std::vector<T>& values) {
  require_array(json, place);
  values.assign(json.size(), T());
  for (std::size_t i = 0; i < values.size(); ++i) read_value(json[i], place.element(i), values[i]);
}

// One object of a file while it is read. The object and the place outlive it.
class JsonReader {
 public:
  JsonReader(const nlohmann::json& object, const JsonPlace& place);

  template <class T>
  void required(const char* name, T& value) {
    read_value(find_required(name), place_.field(name), value);
  }

  // Leaves the value as it is where the file does not have the field; returns whether it has.
  template <class T>
  bool optional(const char* name, T& value) {
    const nlohmann::json* found = find(name);
    if (found) read_value(*found, place_.field(name), value);
    return found != nullptr;
  }

  // Throws if the object has a field that nobody asked for.
  void refuse_unknown() const;
  const JsonPlace& place() const { return place_; }

 private:
  const nlohmann::json* find(const char* name);
  const nlohmann::json& find_required(const char* name);

  const nlohmann::json& object_;
  const JsonPlace& place_;
  std::set<std::string> known_;
};

template <class T>
void read_value(const nlohmann::json& json, const JsonPlace& place, T& value) {
  JsonReader reader(json, place);
  describe(reader, value);
  reader.refuse_unknown();
}

inline nlohmann::ordered_json to_json_value(double value) { return value; }
inline nlohmann::ordered_json to_json_value(std::int64_t value) { return value; }
inline nlohmann::ordered_json to_json_value(int value) { return value; }
inline nlohmann::ordered_json to_json_value(bool value) { return value; }
inline nlohmann::ordered_json to_json_value(std::string& value) { return value; }
inline nlohmann::ordered_json to_json_value(Algorithm value) { return to_string(value); }

template <class T>
nlohmann::ordered_json to_json_value(T& value);

template <class T>
nlohmann::ordered_json to_json_value(std::vector<T>& values) {
  auto array = nlohmann::ordered_json::array();
  for (T& value : values) array.push_back(to_json_value(value));
  return array;
}

class JsonWriter {
 public:
  template <class T>
  void required(const char* name, T& value) {
    object_[name] = to_json_value(value);
  }
  template <class T>
  bool optional(const char* name, T& value) {
    required(name, value);
    return true;
  }

  nlohmann::ordered_json take() { return std::move(object_); }

 private:
  nlohmann::ordered_json object_ = nlohmann::ordered_json::object();
};

template <class T>
nlohmann::ordered_json to_json_value(T& value) {
  JsonWriter writer;
  describe(writer, value);
  return writer.take();
}

// Runs a check whose messages name the field, and puts the file before them.
template <class Check>
void with_source(const std::string& source, Check check) {
  try {
    check();
  } catch (const ConfigError& error) {
    throw ConfigError(source + ": " + error.what());
  }
}

// Throws unless the two are what this library reads.
void check_format(const JsonPlace& place, const std::string& found, const char* expected, int version);

// A whole file: "format" and "version", then the fields of T.
template <class T>
T read_document(std::string_view text, const std::string& source, const char* format) {
  const nlohmann::json json = parse_json(text, source);
  const JsonPlace place{source, ""};
  JsonReader reader(json, place);
  std::string found;
  int version = 0;
  reader.required("format", found);
  reader.required("version", version);
  check_format(place, found, format, version);
  T value;
  describe(reader, value);
  reader.refuse_unknown();
  return value;
}

template <class T>
std::string document_text(T value, const char* format) {
  JsonWriter writer;
  std::string name = format;
  int version = 1;
  writer.required("format", name);
  writer.required("version", version);
  describe(writer, value);
  return json_text(writer.take());
}

}  // namespace pipedream::detail

#include "runtime/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "pipedream/error.h"
#include "runtime/safetensors_types.h"

namespace pipedream::detail {
namespace {

using nlohmann::json;

// A plain parse would keep the last of two equal keys without a word.
json parse_unique(std::string_view text, const std::string& file) {
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  const auto on_event = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second && duplicate.empty()) duplicate = key;
    }
    return true;
  };
  try {
    json header = json::parse(text, on_event);
    if (!duplicate.empty()) throw ConfigError(fmt::format("{}: the header names '{}' twice", file, duplicate));
    return header;
  } catch (const json::exception& error) {
    throw ConfigError(fmt::format("{}: the header is no JSON: {}", file, error.what()));
  }
}

class EntryReader {
 public:
  EntryReader(const std::string& file, const std::string& name, const json& fields)
      : file_(file), name_(name), fields_(fields) {
    if (!fields.is_object()) fail("its entry in the header is no object");
  }

  SafetensorsEntry read(std::uint64_t data_bytes) const {
    SafetensorsEntry entry{.name = name_, .type = type()};
    const std::vector<std::uint64_t> offsets = numbers("data_offsets");
    if (offsets.size() != 2) fail(fmt::format("data_offsets has {} numbers instead of 2", offsets.size()));
    entry.begin = offsets[0];
    entry.end = offsets[1];
    if (entry.begin > entry.end)
      fail(fmt::format("data_offsets [{}, {}] end before they begin", entry.begin, entry.end));
    if (entry.end > data_bytes) {
      fail(fmt::format("data_offsets end at byte {}, but only {} bytes of data follow the header (truncated?)",
                       entry.end, data_bytes));
    }
    const std::uint64_t bytes = tensor_bytes(entry);
    if (bytes != entry.end - entry.begin) {
      fail(fmt::format("shape [{}] of type {} takes {} bytes, but data_offsets [{}, {}] hold {}",
                       fmt::join(entry.shape, ", "), safetensors_name(entry.type), bytes, entry.begin, entry.end,
                       entry.end - entry.begin));
    }
    return entry;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw ConfigError(fmt::format("{}: tensor '{}': {}", file_, name_, what));
  }

  const json& field(const char* key) const {
    const auto found = fields_.find(key);
    if (found == fields_.end()) fail(fmt::format("{} is missing", key));
    return *found;
  }

  torch::ScalarType type() const {
    const json& name = field("dtype");
    if (!name.is_string()) fail("dtype is no text");
    const auto type = safetensors_type(name.get_ref<const std::string&>());
    if (!type) fail(fmt::format("unknown dtype {}", name.dump(-1, ' ', true, json::error_handler_t::replace)));
    return *type;
  }

  std::vector<std::uint64_t> numbers(const char* key) const {
    const json& list = field(key);
    const bool valid = list.is_array() && std::all_of(list.begin(), list.end(),
                                                      [](const json& item) { return item.is_number_unsigned(); });
    if (!valid) fail(fmt::format("{} is no list of whole numbers from 0 on", key));
    return list.get<std::vector<std::uint64_t>>();
  }

  // Fills the shape; a product that does not fit into 63 bits is no tensor's size.
  std::uint64_t tensor_bytes(SafetensorsEntry& entry) const {
    std::int64_t bytes = static_cast<std::int64_t>(torch::elementSize(entry.type));
    bool fits = true;
    for (const std::uint64_t size : numbers("shape")) {
      fits = fits && size <= static_cast<std::uint64_t>(INT64_MAX) && !__builtin_mul_overflow(bytes, size, &bytes);
      entry.shape.push_back(static_cast<std::int64_t>(size));
    }
    if (!fits) fail("its shape has more elements than 63 bits can count");
    return static_cast<std::uint64_t>(bytes);
  }

  const std::string& file_;
  const std::string& name_;
  const json& fields_;
};

void check_metadata(const json& metadata, const std::string& file) {
  const bool valid = metadata.is_object() &&
                     std::all_of(metadata.begin(), metadata.end(), [](const json& item) { return item.is_string(); });
  if (!valid) throw ConfigError(fmt::format("{}: __metadata__ does not map text to text", file));
}

void check_coverage(const std::vector<SafetensorsEntry>& entries, std::uint64_t data_bytes, const std::string& file) {
  std::uint64_t covered = 0;
  const std::string* previous = nullptr;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin < covered) {
      throw ConfigError(fmt::format("{}: tensor '{}' begins at byte {}, inside of tensor '{}', which ends at {}", file,
                                    entry.name, entry.begin, *previous, covered));
    }
    if (entry.begin > covered) {
      throw ConfigError(fmt::format("{}: no tensor covers bytes {} to {} before tensor '{}'", file, covered,
                                    entry.begin, entry.name));
    }
    covered = entry.end;
    previous = &entry.name;
  }
  if (covered != data_bytes) {
    throw ConfigError(fmt::format("{}: {} bytes follow the last tensor's", file, data_bytes - covered));
  }
}

}  // namespace

std::vector<SafetensorsEntry> parse_safetensors_header(std::string_view text, std::uint64_t data_bytes,
                                                       const std::string& file) {
  const json header = parse_unique(text, file);
  if (!header.is_object()) throw ConfigError(fmt::format("{}: the header is no JSON object", file));
  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, fields] : header.items()) {
    if (name == "__metadata__") {
      check_metadata(fields, file);
    } else {
      entries.push_back(EntryReader(file, name, fields).read(data_bytes));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_coverage(entries, data_bytes, file);
  return entries;
}

}  // namespace pipedream::detail

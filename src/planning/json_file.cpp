#include "planning/json_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

using nlohmann::json;

// `offset` counts from 0.
std::string line_and_column(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t column = before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
  return fmt::format("{}:{}", line, column);
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: what we want".
std::string_view without_preamble(std::string_view message) {
  const std::size_t end = message.find(": ");
  return end == std::string_view::npos ? message : message.substr(end + 2);
}

// Follows the parser through the tree, because it keeps the last of two equal fields and says nothing.
class DuplicateFields {
 public:
  explicit DuplicateFields(const std::string& source) : source_(source) {}

  bool operator()(int, json::parse_event_t event, json& parsed) {
    using Event = json::parse_event_t;
    if (event == Event::key) {
      enter_field(parsed.get_ref<const std::string&>());
    } else if (event == Event::object_end || event == Event::array_end) {
      levels_.pop_back();
    } else {
      if (!levels_.empty() && levels_.back().is_array) ++levels_.back().index;
      if (event != Event::value) levels_.push_back({event == Event::array_start, -1, {}, {}});
    }
    return true;
  }

 private:
  struct Level {
    bool is_array;
    long index;
    std::string field;
    std::set<std::string> fields;
  };

  void enter_field(const std::string& name) {
    Level& level = levels_.back();
    level.field = name;
    if (!level.fields.insert(name).second) throw ConfigError(fmt::format("{}: {}: given twice", source_, path()));
  }

  std::string path() const {
    std::string result;
    for (const Level& level : levels_) {
      if (level.is_array) {
        result += fmt::format("[{}]", level.index);
      } else {
        result += (result.empty() ? "" : ".") + level.field;
      }
    }
    return result;
  }

  std::string source_;
  std::vector<Level> levels_;
};

}  // namespace

json parse_json(std::string_view text, const std::string& source) {
  try {
    return json::parse(text, DuplicateFields(source));
  } catch (const json::parse_error& error) {
    const std::size_t offset = error.byte == 0 ? 0 : error.byte - 1;
    throw ConfigError(fmt::format("{}:{}: not valid JSON: {}", source, line_and_column(text, offset),
                                  without_preamble(error.what())));
  } catch (const json::out_of_range& error) {
    // "number overflow parsing '1e999'": the exception has no position, the text has the number.
    const std::string message = error.what();
    const std::size_t open = message.find('\'');
    const std::size_t close = message.rfind('\'');
    const std::string number = open < close ? message.substr(open + 1, close - open - 1) : std::string();
    const std::size_t offset = std::min(text.find(number), text.size());
    throw ConfigError(fmt::format("{}:{}: the number {} is too large", source, line_and_column(text, offset), number));
  }
}

std::string json_text(const nlohmann::ordered_json& value) {
  try {
    return value.dump(2) + "\n";
  } catch (const json::type_error& error) {
    throw ConfigError(fmt::format("cannot be written as JSON: {}", error.what()));
  }
}

}  // namespace pipedream::detail

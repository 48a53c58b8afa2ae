#include "planning/artifact_graph.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <unordered_map>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

constexpr std::string_view kSeparator = " -- ";

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

class Reader {
 public:
  explicit Reader(const std::string& source) : source_(source) {}

  void read(std::string_view text) {
    for (const std::string_view line : split(text, "\n")) {
      ++line_;
      if (trimmed(line).empty()) continue;
      if (line.front() == '\t') {
        add_edge(trimmed(line));
      } else {
        add_node(trimmed(line));
      }
    }
  }

  std::vector<ArtifactNode> take() { return std::move(nodes_); }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw ConfigError(fmt::format("{}:{}: {}", source_, line_, fmt::format(format, std::forward<Args>(args)...)));
  }

  void add_node(std::string_view line) {
    const auto parts = split(line, kSeparator);
    const bool has_stage = parts.size() == 4 && parts[3].starts_with("stage_id=");  // of a plan; a profile has none
    if (parts.size() != 3 && !has_stage) {
      fail("a node is \"ID -- DESCRIPTION -- FIELDS\" and an edge is \"<tab>FROM -- TO\", found \"{}\"", line);
    }
    ArtifactNode node;
    node.id = parts[0];
    node.description = parts[1];
    if (node.id.empty()) fail("a node without an identifier");
    const auto fields = split(parts[2], ", ");
    if (fields.size() != 4) fail("node \"{}\" has {} fields, not 4", node.id, fields.size());
    node.forward_us = microseconds(fields[0], "forward_compute_time");
    node.backward_us = microseconds(fields[1], "backward_compute_time");
    node.activation_bytes = bytes(fields[2], "activation_size");
    node.parameter_bytes = bytes(fields[3], "parameter_size");
    const auto [other, fresh] = position_.emplace(node.id, nodes_.size());
    if (!fresh) fail("node \"{}\" stands in the file twice", node.id);
    nodes_.push_back(std::move(node));
  }

  void add_edge(std::string_view line) {
    const auto ends = split(line, kSeparator);
    if (ends.size() != 2) fail("an edge is \"<tab>FROM -- TO\", found \"{}\"", line);
    const int from = position(ends[0]);
    const int to = position(ends[1]);
    nodes_[static_cast<std::size_t>(from)].consumers.push_back(to);
    nodes_[static_cast<std::size_t>(to)].producers.push_back(from);
  }

  int position(std::string_view id) const {
    const auto found = position_.find(std::string(id));
    if (found == position_.end()) fail("there is no node \"{}\" before this edge", id);
    return static_cast<int>(found->second);
  }

  std::string_view value(std::string_view field, std::string_view name) const {
    const auto parts = split(field, "=");
    if (parts.size() != 2 || parts[0] != name) fail("expected {}=NUMBER, found \"{}\"", name, field);
    return parts[1];
  }

  double number(std::string_view text, std::string_view name) const {
    double result = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (error != std::errc() || rest != text.data() + text.size()) fail("{}: \"{}\" is not a number", name, text);
    if (!std::isfinite(result) || result < 0) fail("{}: must be finite and not negative, found {}", name, text);
    return result;
  }

  double microseconds(std::string_view field, std::string_view name) const {
    const std::string_view milliseconds = value(field, name);
    number(milliseconds, name);
    const double us = times_power_of_ten(milliseconds, 3);
    if (!std::isfinite(us)) fail("{}: {} ms are too many", name, milliseconds);
    return us;
  }

  // A list, of a node with several outputs, is their sum.
  std::int64_t bytes(std::string_view field, std::string_view name) const {
    std::string_view text = value(field, name);
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    double sum = 0;
    for (const std::string_view part : split(text, "; ")) {
      const double size = number(part, name);
      if (size != std::floor(size)) fail("{}: {} is not a whole number of bytes", name, part);
      sum += size;
    }
    if (sum > static_cast<double>(kMostArtifactBytes)) fail("{}: {} is more than 2^53 bytes", name, text);
    return static_cast<std::int64_t>(sum);
  }

  const std::string& source_;
  int line_ = 0;
  std::vector<ArtifactNode> nodes_;
  std::unordered_map<std::string, std::size_t> position_;
};

}  // namespace

std::vector<ArtifactNode> parse_artifact_nodes(std::string_view text, const std::string& source) {
  Reader reader(source);
  reader.read(text);
  return reader.take();
}

}  // namespace pipedream::detail

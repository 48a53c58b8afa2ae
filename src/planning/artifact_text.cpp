#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "planning/artifact_graph.h"
#include "planning/config_error.h"

namespace pipedream::detail {
namespace {

// "1.377e+03": mantissa and exponent.
struct Decimal {
  std::string_view mantissa;
  int exponent = 0;
};

Decimal decimal_parts(std::string_view text) {
  const std::size_t mark = text.find_first_of("eE");
  if (mark == std::string_view::npos) return {text, 0};
  std::string_view exponent = text.substr(mark + 1);
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  Decimal result{text.substr(0, mark), 0};
  std::from_chars(exponent.data(), exponent.data() + exponent.size(), result.exponent);
  return result;
}

// As the artifact writes them where that is exact.
std::string milliseconds(double us) {
  std::string rounded = fmt::format("{:.3f}", us / 1000);
  if (times_power_of_ten(rounded, 3) == us) return rounded;
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, us, std::chars_format::scientific).ptr;
  const Decimal parts = decimal_parts({digits, end});
  return fmt::format("{}e{}", parts.mantissa, parts.exponent - 3);
}

void check_identifier(const std::string& id) {
  const bool has_blank_end = !id.empty() && (id.front() == ' ' || id.back() == ' ');
  // With the separator's blanks around it, dashes at an end would be read as another separator.
  const bool separates = fmt::format(" {} ", id).find(" -- ") != std::string::npos;
  if (id.empty() || has_blank_end || separates || id.find_first_of("\t\r\n") != std::string::npos) {
    throw_config_error("layer \"{}\": the artifact's format has no place for such a name", id);
  }
}

void check_bytes(const ArtifactNode& node, std::int64_t bytes, const char* what) {
  if (bytes <= kMostArtifactBytes) return;
  throw_config_error("layer \"{}\": {} bytes of {} are more than 2^53, which the artifact's format cannot hold",
                     node.id, bytes, what);
}

}  // namespace

double times_power_of_ten(std::string_view decimal, int power) {
  const Decimal parts = decimal_parts(decimal);
  const std::string text = fmt::format("{}e{}", parts.mantissa, std::int64_t{parts.exponent} + power);
  double result = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  // Too small or too great for a double; exponents of either sign come here.
  if (error == std::errc::result_out_of_range) {
    return parts.exponent < 0 ? 0 : std::numeric_limits<double>::infinity();
  }
  return result;
}

std::string artifact_text(const std::vector<ArtifactNode>& nodes, const std::vector<int>& stages) {
  std::string text;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const ArtifactNode& node = nodes[i];
    check_identifier(node.id);
    check_bytes(node, node.activation_bytes, "outputs");
    check_bytes(node, node.parameter_bytes, "parameters");
    text += fmt::format(
        "{} -- {} -- forward_compute_time={}, backward_compute_time={}, activation_size={}.0, parameter_size={}.000",
        node.id, node.description, milliseconds(node.forward_us), milliseconds(node.backward_us), node.activation_bytes,
        node.parameter_bytes);
    if (stages[i] >= 0) text += fmt::format(" -- stage_id={}", stages[i]);
    text += '\n';
  }
  for (const ArtifactNode& node : nodes) {
    for (const int producer : node.producers) {
      text += fmt::format("\t{} -- {}\n", nodes[static_cast<std::size_t>(producer)].id, node.id);
    }
  }
  return text;
}

}  // namespace pipedream::detail

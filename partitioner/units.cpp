#include "partitioner/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <span>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr Unit kByteUnits[] = {
    {"", 1},      {"B", 1},        {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
    {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
};
constexpr Unit kRateUnits[] = {
    {"", 1},          {"B/s", 1},        {"kB/s", 1e3},     {"MB/s", 1e6},     {"GB/s", 1e9},
    {"TB/s", 1e12},   {"KiB/s", 0x1p10}, {"MiB/s", 0x1p20}, {"GiB/s", 0x1p30}, {"TiB/s", 0x1p40},
    {"bit/s", 0.125}, {"kbit/s", 125},   {"Mbit/s", 125e3}, {"Gbit/s", 125e6}, {"Tbit/s", 125e9},
};
constexpr Unit kTimeUnits[] = {{"", 1}, {"ns", 1e-3}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}};

double parse(std::string_view text, std::span<const Unit> units, const char* what, const char* example) {
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<std::size_t>(rest - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  if (error == std::errc() && std::isfinite(number) && number >= 0) {
    for (const Unit& known : units) {
      if (known.name == unit && std::isfinite(number * known.factor)) return number * known.factor;
    }
  }
  std::string names;
  for (const Unit& known : units) {
    if (!known.name.empty()) names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
  }
  throw ConfigError(fmt::format("\"{}\" is not {} like {} (units: {})", text, what, example, names));
}

// The greatest unit that leaves a number of at least 1.
std::string format_with(double value, std::span<const Unit> units) {
  const Unit* unit = &units.front();
  for (const Unit& candidate : units) {
    if (value >= candidate.factor) unit = &candidate;
  }
  const double number = value / unit->factor;
  const int decimals = number >= 100 || (unit->factor == 1 && number == std::floor(number)) ? 0 : number >= 10 ? 1 : 2;
  return fmt::format("{:.{}f} {}", number, decimals, unit->name);
}

}  // namespace

std::int64_t parse_bytes(std::string_view text) {
  const double bytes = parse(text, kByteUnits, "a size", "16GiB");
  if (bytes >= 0x1p63) throw ConfigError(fmt::format("the size \"{}\" is 2^63 bytes or more", text));
  if (bytes != std::floor(bytes))
    throw ConfigError(fmt::format("the size \"{}\" is not a whole number of bytes", text));
  return static_cast<std::int64_t>(bytes);
}

double parse_bytes_per_second(std::string_view text) {
  const double rate = parse(text, kRateUnits, "a bandwidth", "10GB/s");
  if (rate == 0) throw ConfigError(fmt::format("the bandwidth \"{}\" must be positive", text));
  return rate;
}

double parse_microseconds(std::string_view text) { return parse(text, kTimeUnits, "a time", "100us"); }

std::string format_bytes(std::int64_t bytes) {
  static constexpr Unit kUnits[] = {{"B", 1}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  return format_with(static_cast<double>(bytes), kUnits);
}

std::string format_bytes_per_second(double bytes_per_second) {
  static constexpr Unit kUnits[] = {{"B/s", 1}, {"kB/s", 1e3}, {"MB/s", 1e6}, {"GB/s", 1e9}, {"TB/s", 1e12}};
  return format_with(bytes_per_second, kUnits);
}

std::string format_microseconds(double microseconds) {
  static constexpr Unit kUnits[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}};
  return format_with(microseconds, kUnits);
}

}  // namespace pipedream::detail

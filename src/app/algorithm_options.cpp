#include "app/algorithm_options.h"

#include <fmt/format.h>

#include <charconv>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return parts;
}

// A whole number from `least` on.
std::int64_t parse_count(const std::string& text, std::int64_t least, const std::string& what) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < least) {
    throw ConfigError(fmt::format("{}: \"{}\" is no whole number from {} on", what, text, least));
  }
  return count;
}

}  // namespace

CorrectionChoice parse_corrections(const std::string& text, std::int64_t annealing_microbatches, double decay) {
  CorrectionChoice choice{.annealing_microbatches = annealing_microbatches, .decay = decay};
  for (const std::string& name : text == "none" ? std::vector<std::string>{} : split(text, ',')) {
    bool* const chosen = name == "t1"          ? &choice.t1
                         : name == "t2"        ? &choice.t2
                         : name == "spectrain" ? &choice.spectrain
                                               : nullptr;
    if (chosen == nullptr) {
      throw ConfigError(
          fmt::format("--corrections {}: unknown correction \"{}\" (known: none alone, or t1, t2, "
                      "spectrain with commas between them)",
                      text, name));
    }
    if (*chosen) throw ConfigError(fmt::format("--corrections {}: {} is there twice", text, name));
    *chosen = true;
  }
  corrections(choice);  // refuses settings out of range
  return choice;
}

std::vector<TrainSegment> parse_segments(const std::string& text) {
  std::vector<TrainSegment> segments;
  for (const std::string& part : split(text, ',')) {
    const std::size_t colon = part.find(':');
    TrainSegment& segment = segments.emplace_back();
    segment.algorithm = parse_algorithm(part.substr(0, colon));
    if (colon != std::string::npos) segment.epochs = parse_count(part.substr(colon + 1), 1, "--segments " + part);
  }
  return segments;
}

StageChoice parse_stages(const std::string& text) {
  if (text == "all") return {.all = true};
  StageChoice choice;
  if (text == "none") return choice;
  for (const std::string& part : split(text, ',')) {
    choice.stages.push_back(static_cast<int>(parse_count(part, 0, "--recompute " + text)));
  }
  return choice;
}

}  // namespace pipedream::detail

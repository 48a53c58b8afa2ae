#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "pipedream/error.h"

namespace pipedream::bench {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Figure& figure) {
  const auto number = [&](double value) {
    return figure.unit.empty() ? fmt::format("{:.3f}", value) : fmt::format("{:.1f}", value);
  };
  return fmt::format("{} {} ({}..{}){}", figure.name, number(figure.median()), number(figure.least()),
                     number(figure.greatest()), figure.unit.empty() ? "" : " " + figure.unit);
}

const Figure& figure_of(const Result& result, const std::string& name) {
  const auto found = std::find_if(result.figures.begin(), result.figures.end(),
                                  [&](const Figure& figure) { return figure.name == name; });
  if (found == result.figures.end()) throw ConfigError(fmt::format("{} has no figure '{}'", result.case_name, name));
  return *found;
}

Json to_json(const Result& result) {
  Json json{{"case", result.case_name}, {"variant", result.variant}, {"setting", result.setting}};
  for (const Figure& figure : result.figures) {
    json["figures"].push_back({{"name", figure.name},
                               {"unit", figure.unit},
                               {"median", figure.median()},
                               {"min", figure.least()},
                               {"max", figure.greatest()},
                               {"samples", figure.samples}});
  }
  if (result.goal) {
    json["goal"] = {{"figure", result.goal->figure},
                    {"at_least", result.goal->at_least},
                    {"limit", result.goal->limit},
                    {"met", result.met()}};
  }
  return json;
}

template <class Operation>
std::vector<double> pairwise(const std::vector<double>& a, const std::vector<double>& b, Operation operation) {
  std::vector<double> out;
  std::transform(a.begin(), a.end(), b.begin(), std::back_inserter(out), operation);
  return out;
}

}  // namespace

double Figure::median() const {
  std::vector<double> sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

double Figure::least() const { return *std::min_element(samples.begin(), samples.end()); }
double Figure::greatest() const { return *std::max_element(samples.begin(), samples.end()); }

bool Result::met() const {
  if (!goal) return true;
  const double value = figure_of(*this, goal->figure).median();
  return goal->at_least ? value >= goal->limit : value <= goal->limit;
}

std::string to_line(const Result& result) {
  std::string line = fmt::format("{} [{}]:", result.case_name, result.variant);
  for (const Figure& figure : result.figures) line += " " + text(figure) + ",";
  if (!result.goal) {
    line.back() = '.';
    return line;
  }
  return line + fmt::format(" goal {} {} {}: {}", result.goal->figure,
                            result.goal->at_least ? ">=" : "<=", result.goal->limit, result.met() ? "met" : "MISSED");
}

void report(const std::vector<Result>& results, const std::filesystem::path& json) {
  Json all = Json::array();
  for (const Result& result : results) {
    fmt::print("{}\n", to_line(result));
    all.push_back(to_json(result));
  }
  std::fflush(stdout);
  if (json.empty()) return;
  std::ofstream file(json);
  file << all.dump(2) << '\n';
  if (!file.flush()) throw ConfigError(fmt::format("{} cannot be written", json.string()));
}

std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b) {
  return pairwise(a, b, std::divides<>());
}

std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b) {
  return pairwise(a, b, std::minus<>());
}

}  // namespace pipedream::bench

#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "pipedream/error.h"

namespace pipedream::bench {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Figure& figure) {
  const auto number = [&](double value) {
    if (figure.unit.empty()) return fmt::format("{:.3f}", value);
    return figure.unit == "%" ? fmt::format("{:.2f}", value) : fmt::format("{:.1f}", value);
  };
  return fmt::format("{} {} ({}..{}){}", figure.name, number(figure.median()), number(figure.least()),
                     number(figure.greatest()), figure.unit.empty() ? "" : " " + figure.unit);
}

const char* name_of(Limit sign) {
  switch (sign) {
    case Limit::at_least:
      return ">=";
    case Limit::at_most:
      return "<=";
    case Limit::within:
      return "within";
  }
  return "";
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
  json["goals"] = Json::array();
  for (const Goal& goal : result.goals) {
    json["goals"].push_back({{"figure", goal.figure},
                             {"sign", name_of(goal.sign)},
                             {"limit", goal.limit},
                             {"met", goal.met_by(result.figure(goal.figure).median())}});
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

bool Goal::met_by(double value) const {
  switch (sign) {
    case Limit::at_least:
      return value >= limit;
    case Limit::at_most:
      return value <= limit;
    case Limit::within:
      return std::abs(value) <= limit;
  }
  return false;
}

const Figure& Result::figure(const std::string& name) const {
  const auto found = std::find_if(figures.begin(), figures.end(), [&](const Figure& one) { return one.name == name; });
  if (found == figures.end()) throw ConfigError(fmt::format("{} has no figure '{}'", case_name, name));
  return *found;
}

std::string to_line(const Result& result) {
  std::string line = fmt::format("{} [{}]:", result.case_name, result.variant);
  for (const Figure& figure : result.figures) line += " " + text(figure) + ",";
  line.back() = result.goals.empty() ? '.' : ';';
  for (const Goal& goal : result.goals) {
    line += fmt::format(" goal {} {} {}: {};", goal.figure, name_of(goal.sign), goal.limit,
                        goal.met_by(result.figure(goal.figure).median()) ? "met" : "MISSED");
  }
  return line;
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

std::vector<double> deviations(const std::vector<double>& a, const std::vector<double>& b) {
  return pairwise(a, b, [](double x, double y) { return 100 * (x / y - 1); });
}

}  // namespace pipedream::bench

// What a case found: figures with their spread, held against a goal. Nothing here judges by exit code.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace pipedream::bench {

struct Figure {
  std::string name;  // as defined in bench/README.md
  std::string unit;  // empty for a ratio
  std::vector<double> samples;

  double median() const;
  double least() const;
  double greatest() const;
};

// Which figure decides, and how.
struct Goal {
  std::string figure;
  bool at_least = true;  // otherwise at most
  double limit = 0;
};

struct Result {
  std::string case_name;
  std::string variant;  // "8 workers, MPI"
  std::string setting;  // what ran: sizes, times, depths
  std::vector<Figure> figures;
  std::optional<Goal> goal;

  bool met() const;  // true without a goal
};

// One line: the figures, the goal and whether it was met.
std::string to_line(const Result& result);

// Prints every line, and writes all results as a JSON array unless `json` is empty. Throws ConfigError where the file
// cannot be written.
void report(const std::vector<Result>& results, const std::filesystem::path& json);

// a[i] / b[i] and a[i] - b[i]: what is compared was measured in pairs.
std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b);
std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace pipedream::bench

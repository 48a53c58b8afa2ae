// What a case found: figures with their spread, held against goals. Nothing here judges by exit code.
#pragma once

#include <filesystem>
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

enum class Limit {
  at_least,
  at_most,
  within,  // its magnitude is at most that
};

// What the median of a figure should be.
struct Goal {
  std::string figure;
  Limit sign = Limit::at_least;
  double limit = 0;

  bool met_by(double value) const;
};

struct Result {
  std::string case_name;
  std::string variant;  // "8 workers, MPI"
  std::string setting;  // what ran: sizes, times, depths
  std::vector<Figure> figures;
  std::vector<Goal> goals;

  const Figure& figure(const std::string& name) const;  // throws ConfigError where there is none
};

// One line: the figures, the goals and whether they were met.
std::string to_line(const Result& result);

// Prints every line, and writes all results as a JSON array unless `json` is empty. Throws ConfigError where the file
// cannot be written.
void report(const std::vector<Result>& results, const std::filesystem::path& json);

// a[i] / b[i], a[i] - b[i], and a[i] / b[i] - 1 in percent: what is compared was measured in pairs.
std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b);
std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b);
std::vector<double> deviations(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace pipedream::bench

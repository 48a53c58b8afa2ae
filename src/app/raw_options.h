// The options of every program's commands, as the parser fills them in.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "app/optimizer_options.h"
#include "app/options.h"

namespace pipedream::detail {

// What the command line says before it is held against the application's defaults.
struct RawOptions {
  Options options;
  std::string device = "cpu";
  std::string transport = "auto";
  std::string algorithm;
  std::string corrections;
  std::int64_t annealing_microbatches = 0;
  std::optional<double> decay;
  std::string segments;
  std::string recompute;
  std::string cost_model = std::string(to_string(CostModel::simulated));
  std::string depths;
  OptimizerOptions optimizer;
};

// Each adds a group of options to a command; `raw` outlives the parser.
void add_common(CLI::App& command, RawOptions& raw);
void add_profile(CLI::App& command, Options& options);
void add_planning(CLI::App& command, RawOptions& raw);
void add_algorithm(CLI::App& command, RawOptions& raw);
void add_training(CLI::App& command, RawOptions& raw);
void add_verification(CLI::App& command, RawOptions& raw);
void add_files(CLI::App& command, Options& options);

}  // namespace pipedream::detail

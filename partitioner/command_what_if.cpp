#include "partitioner/command_what_if.h"

#include <CLI/CLI.hpp>

#include "partitioner/what_if_table.h"

namespace pipedream {

WhatIfCommand::WhatIfCommand(CLI::App& app, std::ostream& out)
    : command_(app.add_subcommand("what-if", "Plans for more workers, slower links, less memory, other algorithms")),
      out_(out) {
  CLI::App& command = *command_;
  command.add_option("PROFILE", profile_, "File of a measured model")->required();
  workers_.add_to(command);
  command.add_option("--algorithm", algorithm_, "One of " + algorithm_names())->capture_default_str();
  command.add_option("--cost-model", cost_model_, "What the best plan is the best of: one of " + cost_model_names())
      ->capture_default_str();
  optimizer_.add_to(command);
  command.add_flag("--json", json_, "Print JSON instead of a table");
}

int WhatIfCommand::run() const {
  PartitionOptions options;
  options.algorithm = parse_algorithm(algorithm_);
  options.cost_model = parse_cost_model(cost_model_);
  options.state_factors = optimizer_.state_factor();
  const Profile profile = read_profile(profile_);
  const auto answers = what_if(profile, workers_.topology(profile), options);
  out_ << (json_ ? what_if_json(answers) : what_if_table(answers));
  return 0;
}

}  // namespace pipedream

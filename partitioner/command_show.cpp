#include "partitioner/command_show.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"
#include "partitioner/plan_table.h"
#include "pipedream/error.h"
#include "pipedream/partition.h"

namespace pipedream {

ShowCommand::ShowCommand(CLI::App& app, std::ostream& out) : out_(out) {
  CLI::App& command = *app.add_subcommand("show", "Prints a plan");
  command.add_option("PLAN", plan_, "File of a plan")->type_name(kFileType)->required();
  auto* profile =
      command.add_option("--profile", profile_, "Check the plan against this profile and predict its times")
          ->type_name(kFileType);
  links_.add_to(command);
  optimizer_.add_to(command);
  for (const char* name : {"--bandwidth", "--latency", "--optimizer"}) command.get_option(name)->needs(profile);
  command.add_flag("--json", json_, "Print the plan as JSON instead of a table");
  add_help(command, {"Prints a plan as a table: its stages, their layers, workers and depths, and what was predicted. "
                     "With --profile it checks that the plan is one of that model, and predicts anew; a plan that was "
                     "written by hand has no predictions of its own.",
                     {"pipedream show plan.json", "pipedream show plan.json --profile profile.json --bandwidth 10GB/s",
                      "pipedream show plan.json --profile profile.json --json"}});
}

int ShowCommand::run() const {
  Plan plan = read_plan(plan_);
  if (!profile_.empty()) {
    const Profile profile = read_profile(profile_);
    const Topology topology = links_.topology(profile, {plan.workers()});
    try {
      predict(plan, profile, topology, optimizer_.state_factor());
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{} does not fit {}: {}", plan_, profile_, error.what()));
    }
  }
  out_ << (json_ ? to_json(plan) : plan_table(plan));
  return 0;
}

}  // namespace pipedream

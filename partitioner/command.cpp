#include "partitioner/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "partitioner/command_compare.h"
#include "partitioner/command_completion.h"
#include "partitioner/command_export.h"
#include "partitioner/command_help.h"
#include "partitioner/command_import.h"
#include "partitioner/command_plan.h"
#include "partitioner/command_schedule.h"
#include "partitioner/command_show.h"
#include "partitioner/command_simulate.h"
#include "partitioner/command_what_if.h"
#include "pipedream/error.h"
#include "pipedream/version.h"

namespace pipedream {
namespace {

// Messages are one line, whatever a library puts into them.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// CLI11 would only say that a subcommand is required.
void refuse_unknown_subcommand(CLI::App& app, const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front().starts_with('-')) return;
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
  if (std::find(known.begin(), known.end(), arguments.front()) == known.end()) {
    throw ConfigError(fmt::format("no subcommand \"{}\" (known: {})", arguments.front(), fmt::join(known, ", ")));
  }
}

int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  CLI::App app("Plans how a network is cut into pipeline stages, shows such plans, simulates and draws them.",
               "pipedream");
  app.set_version_flag("--version", std::string(version()));
  add_help(app,
           {"Files go from one subcommand to the next: a profile says what the layers of a model cost, a plan how they "
            "are cut into stages and which workers run them. SUBCOMMAND --help tells the options of each.",
            {"pipedream plan profile.json --workers 4 --memory 16GiB -o plan.json", "pipedream show plan.json",
             "pipedream simulate plan.json --profile profile.json --bandwidth 1Gbit/s",
             "pipedream schedule --algorithm gpipe --workers 4 --microbatches-per-update 4",
             "pipedream what-if profile.json --workers 8 --bandwidth 10Gbit/s",
             "pipedream compare report.json --profile profile.json"}});
  app.require_subcommand(1);
  PlanCommand plan(app, out);
  ShowCommand show(app, out);
  SimulateCommand simulate(app, out);
  ScheduleCommand schedule(app, out);
  WhatIfCommand what_if(app, out);
  CompareCommand compare(app, out);
  ImportCommand import(app, out);
  ExportCommand export_plan(app, out);
  CompletionCommand completion(app, out);
  refuse_unknown_subcommand(app, arguments);
  // CLI11 takes them from the back.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, out, err);  // --help, --version
    err << "pipedream: " << one_line(error.what()) << " (pipedream --help tells more)\n";
    return kExitUsage;
  }
  if (simulate.chosen()) return simulate.run();
  if (schedule.chosen()) return schedule.run();
  if (what_if.chosen()) return what_if.run();
  if (compare.chosen()) return compare.run();
  if (import.chosen()) return import.run();
  if (export_plan.chosen()) return export_plan.run();
  if (completion.chosen()) return completion.run();
  return plan.chosen() ? plan.run() : show.run();
}

}  // namespace

int pipedream_command(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  try {
    return run(arguments, out, err);
  } catch (const ConfigError& error) {
    err << "pipedream: " << one_line(error.what()) << "\n";
    return kExitUsage;
  } catch (const std::exception& error) {
    err << "pipedream: " << one_line(error.what()) << "\n";
    return kExitFailure;
  }
}

}  // namespace pipedream

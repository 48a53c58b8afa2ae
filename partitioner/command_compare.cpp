#include "partitioner/command_compare.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"
#include "partitioner/compare_table.h"
#include "pipedream/compare.h"
#include "pipedream/error.h"

namespace pipedream {

CompareCommand::CompareCommand(CLI::App& app, std::ostream& out)
    : command_(app.add_subcommand("compare", "Holds what was predicted of a run against what it measured")), out_(out) {
  CLI::App& command = *command_;
  command.add_option("REPORT", report_, "File that PROGRAM train --report wrote")->type_name(kFileType)->required();
  auto* profile =
      command
          .add_option("--profile", profile_, "Predict again, from this profile, and say which of its times were off")
          ->type_name(kFileType);
  command
      .add_option("--topology", topology_,
                  "Workers and links for that (default: those of the run, else of the profile)")
      ->type_name(kFileType)
      ->needs(profile);
  command.add_option("--recalibrate", recalibrate_, "File to write the profile to, corrected by what was measured")
      ->type_name(kFileType)
      ->needs(profile);
  command.add_flag("--json", json_, "Print the report as JSON, with what was predicted now");
  add_help(command,
           {"Prints what was predicted of a run beside what it measured: times, memory, and where the difference comes "
            "from. With --profile it predicts again, from that profile, and says which of its times were off; "
            "--recalibrate writes the profile with the times scaled to what was measured, to plan again with.",
            {"pipedream compare report.json",
             "pipedream compare report.json --profile profile.json --recalibrate corrected.json"}});
}

int CompareCommand::run() const {
  RunReport report = read_report(report_);
  std::optional<Explanation> explanation;
  if (!profile_.empty()) {
    const Profile profile = read_profile(profile_);
    if (!topology_.empty()) {
      report.topology = read_topology(topology_);
    } else if (report.topology.levels.empty()) {
      report.topology = profile.topology;
    }
    try {
      report.predicted =
          simulated_figures(report.plan, profile, report.topology, report.state_factors, report.microbatches);
      explanation = explain(report, profile);
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{} does not fit {}: {}", report_, profile_, error.what()));
    }
    if (!recalibrate_.empty()) {
      write_profile(recalibrated(profile, report.plan, report.measured.stages), recalibrate_);
    }
  }
  out_ << (json_ ? to_json(report) : comparison_table(report, explanation));
  return 0;
}

}  // namespace pipedream

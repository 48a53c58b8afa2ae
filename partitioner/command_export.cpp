#include "partitioner/command_export.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"
#include "partitioner/plan_table.h"
#include "pipedream/error.h"
#include "pipedream/export.h"
#include "planning/atomic_file.h"

namespace pipedream {
namespace {

std::string stage_map(const Plan& plan, const std::string& profile, const std::string& graph) {
  if (profile.empty()) return artifact_stage_map(plan, read_whole_file(graph), graph);
  return artifact_stage_map(plan, read_profile(profile));
}

}  // namespace

ExportCommand::ExportCommand(CLI::App& app, std::ostream& out)
    : command_(app.add_subcommand("export", "Makes the stage map of PipeDream's published artifact of a plan")),
      out_(out) {
  command_->add_option("PLAN", plan_, "File of a plan")->type_name(kFileType)->required();
  auto* profile =
      command_->add_option("--profile", profile_, "File of the model that it is a plan of")->type_name(kFileType);
  command_
      ->add_option("--graph", graph_,
                   "The graph.txt that the profile was imported from, instead: keeps what it says of its nodes")
      ->type_name(kFileType)
      ->excludes(profile);
  command_->add_option("-o,--output", output_, "File to write the stage map to (default: print it)")
      ->type_name(kFileType);
  add_help(*command_,
           {"Writes the graph of a plan's model with the stage of each node, as the tools of PipeDream's artifact read "
            "it. With --graph, the nodes are those of the graph.txt that the profile was imported from, as they are "
            "described there; with --profile, they are the layers of any profile.",
            {"pipedream export plan.json --graph graph.txt -o stages.txt",
             "pipedream export plan.json --profile profile.json"}});
}

int ExportCommand::run() const {
  if (profile_.empty() && graph_.empty()) throw ConfigError("export needs --profile or --graph");
  const Plan plan = read_plan(plan_);
  std::string text;
  try {
    text = stage_map(plan, profile_, graph_);
  } catch (const ConfigError& error) {
    throw ConfigError(
        fmt::format("{} cannot be exported with {}: {}", plan_, profile_.empty() ? graph_ : profile_, error.what()));
  }
  if (output_.empty()) {
    out_ << text;
    return 0;
  }
  write_file_atomically(output_, text);
  out_ << fmt::format("{}, replicas {}\nwritten to {}\n",
                      count_of(static_cast<std::int64_t>(plan.stages.size()), "stage"), artifact_replicas(plan),
                      output_);
  return 0;
}

}  // namespace pipedream

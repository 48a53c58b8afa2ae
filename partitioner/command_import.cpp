#include "partitioner/command_import.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"
#include "partitioner/plan_table.h"
#include "partitioner/units.h"
#include "pipedream/import.h"

namespace pipedream {

ImportCommand::ImportCommand(CLI::App& app, std::ostream& out)
    : command_(app.add_subcommand("import", "Makes a profile of the graph.txt of PipeDream's published artifact")),
      out_(out) {
  command_->add_option("GRAPH", graph_, "File in the artifact's format")->type_name(kFileType)->required();
  command_->add_option("-o,--output", output_, "File to write the profile to (default: print it)")
      ->type_name(kFileType);
  add_help(*command_, {"Reads the text in which PipeDream's authors published the profiles of their models, and makes "
                       "a profile of it. A layer has the name of its node; inputs are no layers, since the stage that "
                       "uses one fetches it. What the artifact did not measure is 0.",
                       {"pipedream import graph.txt -o profile.json"}});
}

int ImportCommand::run() const {
  const Profile profile = import_profile(graph_);
  if (output_.empty()) {
    out_ << to_json(profile);
    return 0;
  }
  write_profile(profile, output_);
  double total_us = 0;
  std::int64_t parameter_bytes = 0;
  for (const LayerProfile& layer : profile.layers) {
    total_us += layer.forward_us + layer.backward_us;
    parameter_bytes += layer.parameter_bytes;
  }
  out_ << fmt::format("{}, {} a microbatch, {} of parameters\nwritten to {}\n",
                      count_of(static_cast<std::int64_t>(profile.layers.size()), "layer"),
                      detail::format_microseconds(total_us), detail::format_bytes(parameter_bytes), output_);
  return 0;
}

}  // namespace pipedream

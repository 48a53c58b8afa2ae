#include "partitioner/command_what_if.h"

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"
#include "partitioner/what_if_table.h"

namespace pipedream {

WhatIfCommand::WhatIfCommand(CLI::App& app, std::ostream& out)
    : command_(app.add_subcommand("what-if", "Plans for more workers, slower links, less memory, other algorithms")),
      out_(out) {
  CLI::App& command = *command_;
  command.add_option("PROFILE", profile_, "File of a measured model")->type_name(kFileType)->required();
  workers_.add_to(command);
  planning_.add_to(command);
  command.add_flag("--json", json_, "Print JSON instead of a table");
  add_help(command,
           {"Plans for what is given, and again for twice the workers, half the bandwidth, half the memory and other "
            "algorithms. Prints one table: the stages of each plan (15-1: 15 replicas, then 1), what limits it, its "
            "time per microbatch by simulation (and by closed form, where that chose it), its speed-up over data "
            "parallelism, and the "
            "memory of the worker that needs most."
            "\n\n"
            "Without a limit of memory, half of it is half of what the plan needs. A question without an answer has "
            "its reason under the table.",
            {"pipedream what-if profile.json --workers 8 --bandwidth 10Gbit/s",
             "pipedream what-if profile.json --workers 4x4 --bandwidth 10GB/s,1.25GB/s --memory 16GiB --json"}});
}

int WhatIfCommand::run() const {
  const Profile profile = read_profile(profile_);
  const auto answers = what_if(profile, workers_.topology(profile), planning_.options());
  out_ << (json_ ? what_if_json(answers) : what_if_table(answers));
  return 0;
}

}  // namespace pipedream

#include "partitioner/command_simulate.h"

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"
#include "partitioner/simulation_table.h"
#include "pipedream/simulate.h"

namespace pipedream {
SimulateCommand::SimulateCommand(CLI::App& app, std::ostream& out)
    : command_(app.add_subcommand("simulate", "Says how fast a plan would run, and why not faster")), out_(out) {
  CLI::App& command = *command_;
  command.add_option("PLAN", plan_, "File of a plan")->type_name(kFileType)->required();
  command.add_option("--profile", profile_, "Times and sizes of the model's layers")->type_name(kFileType)->required();
  links_.add_to(command);
  command.add_option("--topology", topology_, "File with workers and links, of several levels too")
      ->type_name(kFileType)
      ->excludes("--bandwidth")
      ->excludes("--latency");
  command.add_option("--microbatches", microbatches_, "Length of the run (default: until its steady state shows)")
      ->check(CLI::PositiveNumber);
  optimizer_.add_to(command);
  command.add_option("--trace", trace_, "File to write what each worker does when to, for Perfetto")
      ->type_name(kFileType);
  command.add_flag("--json", json_, "Print JSON instead of a table");
  add_help(command,
           {"Goes through the programs that the workers of the plan would run, against a clock: how much of the time "
            "each stage computes, what it waits for, how many versions of its weights and microbatches it holds, its "
            "memory, and what limits the whole. Transfers share the links that they take.",
            {"pipedream simulate plan.json --profile profile.json",
             "pipedream simulate plan.json --profile profile.json --bandwidth 1Gbit/s --trace trace.json",
             "pipedream simulate plan.json --profile profile.json --topology topology.json --json"}});
}

int SimulateCommand::run() const {
  const Plan plan = read_plan(plan_);
  const Profile profile = read_profile(profile_);
  const Topology topology = topology_.empty() ? links_.topology(profile, {plan.workers()}) : read_topology(topology_);
  const SimulationCosts costs = costs_of_files({plan, plan_}, {profile, profile_}, topology, optimizer_.state_factor());
  Segment segment = steady_segment(plan);
  if (microbatches_ > 0) segment.microbatches = microbatches_;
  const Program program = make_program(plan, stage_links(plan, profile), segment);
  const SimulationReport report = simulate(program, plan, segment, costs, {.record = !trace_.empty()});
  if (!trace_.empty()) write_chrome_trace(report.timeline, plan, trace_);
  out_ << (json_ ? simulation_json(report, segment) : simulation_table(report, plan, segment));
  return 0;
}

}  // namespace pipedream

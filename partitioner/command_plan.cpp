#include "partitioner/command_plan.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"
#include "partitioner/depth_table.h"
#include "partitioner/given_depths.h"
#include "partitioner/plan_table.h"
#include "partitioner/units.h"

namespace pipedream {

PlanCommand::PlanCommand(CLI::App& app, std::ostream& out)
    : command_(app.add_subcommand("plan", "Makes a plan from a measured profile")), out_(out) {
  CLI::App& command = *command_;
  command.add_option("PROFILE", profile_, "File of a measured model")->type_name(kFileType)->required();
  workers_.add_to(command);
  planning_.add_to(command);
  command
      .add_option("--depths", depths_,
                  "Warm-up of the stages: least (default), or simulated for what also hides transfers, as the cost "
                  "model simulated always does")
      ->check(CLI::IsMember({"least", "simulated"}));
  command.add_option("-o,--output", output_, "File to write the plan to")->type_name(kFileType);
  command.add_flag("--json", json_, "Print the plan as JSON instead of a table");
  add_help(command, {"Looks for the plan with the least time per microbatch: where to cut the layers into stages, how "
                     "many workers each stage has, and on which of the workers they are. Prints the plan as a table, "
                     "with what it is expected to take, what limits it, and how that compares with one worker, with "
                     "data parallelism and with the best plan without replicas."
                     "\n\n"
                     "Workers may stand in nested levels, innermost first: --workers 8x4 is 8 in each of 4 servers, "
                     "and then --bandwidth has a value for each level. Sizes are as in 16GiB or 512MB, rates as in "
                     "10GB/s or 1Gbit/s, times as in 20us or 1ms.",
                     {"pipedream plan profile.json --workers 4 --memory 16GiB -o plan.json",
                      "pipedream plan profile.json --workers 8 --bandwidth 1.25GB/s --straight",
                      "pipedream plan profile.json --workers 4x4 --bandwidth 10GB/s,1.25GB/s --cost-model pipedream"}});
}

Plan PlanCommand::make_plan(const Profile& profile, const Topology& workers, std::vector<DepthStep>& steps) const {
  const PartitionOptions chosen = planning_.options();
  Plan plan = partition(profile, workers, chosen);
  if (asks_for_simulated_depths(depths_, chosen.cost_model)) {
    steps = choose_depths(plan, profile, workers, {.state_factors = chosen.state_factors});
  }
  return plan;
}

int PlanCommand::run() const {
  const Profile profile = read_profile(profile_);
  const Topology workers = workers_.topology(profile);
  std::vector<DepthStep> steps;
  const Plan plan = make_plan(profile, workers, steps);
  if (!output_.empty()) write_plan(plan, output_);
  if (json_) {
    out_ << to_json(plan);
  } else {
    print(plan, steps, profile, workers);
  }
  return 0;
}

void PlanCommand::print(const Plan& plan, const std::vector<DepthStep>& steps, const Profile& profile,
                        const Topology& workers) const {
  out_ << plan_table(plan);
  if (!steps.empty()) out_ << "\n" << depth_table(steps) << "\n";
  if (plan.workers() > 1) {
    out_ << "links    " << workers_.describe(workers) << "\n";
  }
  if (plan.workers() < workers.workers()) {
    out_ << fmt::format("workers  {} of {} used: more would not be faster\n", plan.workers(), workers.workers());
  }
  if (workers.memory_bytes_per_worker > 0) {
    Topology unlimited = workers;
    unlimited.memory_bytes_per_worker = 0;
    std::vector<DepthStep> unlimited_steps;
    const double faster_us = make_plan(profile, unlimited, unlimited_steps).prediction.microbatch_us;
    out_ << fmt::format("memory   at most {} a worker", detail::format_bytes(workers.memory_bytes_per_worker));
    if (faster_us < plan.prediction.microbatch_us) {
      out_ << fmt::format("; without the limit {} per microbatch", detail::format_microseconds(faster_us));
    }
    out_ << "\n";
  }
  if (!output_.empty()) out_ << "written to " << output_ << "\n";
}

}  // namespace pipedream

#include "partitioner/command_plan.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "partitioner/depth_table.h"
#include "partitioner/plan_table.h"
#include "partitioner/units.h"
#include "pipedream/error.h"

namespace pipedream {
namespace {

// "4", or "8x4": 8 workers in each of 4 servers.
std::vector<int> parse_workers(const std::string& text) {
  std::vector<int> counts;
  const char* next = text.data();
  const char* end = next + text.size();
  for (;;) {
    int count = 0;
    const auto [rest, error] = std::from_chars(next, end, count);
    if (error != std::errc() || count < 1 || (rest != end && *rest != 'x')) {
      throw ConfigError(fmt::format(
          "--workers {}: must be a whole number from 1 on, or several with x between them, innermost first", text));
    }
    counts.push_back(count);
    if (rest == end) return counts;
    next = rest + 1;
  }
}

}  // namespace

PlanCommand::PlanCommand(CLI::App& app, std::ostream& out)
    : command_(app.add_subcommand("plan", "Makes a plan from a measured profile")), out_(out) {
  CLI::App& command = *command_;
  command.add_option("PROFILE", profile_, "File of a measured model")->required();
  auto* workers = command.add_option("--workers", workers_,
                                     "How many, at most, as in 8 or 8x4: 8 in each of 4 servers (default: as many as "
                                     "measured the profile)");
  links_.add_to(command);
  command.add_option("--topology", topology_, "File with workers and links, instead of the three options before")
      ->excludes(workers)
      ->excludes("--bandwidth")
      ->excludes("--latency");
  command.add_option("--memory", memory_, "Of each worker, as in 16GiB (default: no limit)");
  command.add_option("--algorithm", algorithm_, "One of " + algorithm_names())->capture_default_str();
  command.add_option("--cost-model", cost_model_, "What the best plan is the best of: one of " + cost_model_names())
      ->capture_default_str();
  command
      .add_option("--depths", depths_,
                  "Warm-up of the stages: least, or simulated for what also hides transfers (the cost model "
                  "simulated always does that)")
      ->check(CLI::IsMember({"least", "simulated"}))
      ->capture_default_str();
  command.add_flag("--straight", straight_, "One worker a stage, no replicas");
  command.add_flag("--use-all-workers", use_all_workers_, "Leave no worker idle, even where that is faster");
  command.add_option("--microbatches-per-update", microbatches_per_update_,
                     "For data-parallel (default: the number of workers)");
  optimizer_.add_to(command);
  command.add_option("-o,--output", output_, "File to write the plan to");
  command.add_flag("--json", json_, "Print the plan as JSON instead of a table");
}

Topology PlanCommand::topology(const Profile& profile) const {
  Topology topology;
  if (!topology_.empty()) {
    topology = read_topology(topology_);
  } else if (!workers_.empty()) {
    topology = links_.topology(profile, parse_workers(workers_));
  } else {
    topology = links_.topology(profile, {profile.topology.workers()});
  }
  if (!memory_.empty()) topology.memory_bytes_per_worker = detail::parse_bytes(memory_);
  return topology;
}

PartitionOptions PlanCommand::options() const {
  PartitionOptions options;
  options.algorithm = parse_algorithm(algorithm_);
  options.cost_model = parse_cost_model(cost_model_);
  options.straight = straight_;
  options.use_all_workers = use_all_workers_;
  options.microbatches_per_update = microbatches_per_update_;
  options.state_factors = optimizer_.state_factor();
  return options;
}

Plan PlanCommand::make_plan(const Profile& profile, const Topology& workers, std::vector<DepthStep>& steps) const {
  const PartitionOptions chosen = options();
  Plan plan = partition(profile, workers, chosen);
  // `simulated` has chosen depths already.
  if (depths_ == "simulated" && chosen.cost_model != CostModel::simulated) {
    steps = choose_depths(plan, profile, workers, {.state_factors = chosen.state_factors});
  }
  return plan;
}

int PlanCommand::run() const {
  const Profile profile = read_profile(profile_);
  const Topology workers = topology(profile);
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
    out_ << "links    " << links_.describe(workers, topology_) << "\n";
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

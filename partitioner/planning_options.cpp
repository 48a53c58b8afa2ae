#include "partitioner/planning_options.h"

#include <CLI/CLI.hpp>

#include "partitioner/command_help.h"

namespace pipedream {

void PlanningOptions::add_to(CLI::App& command) {
  command.add_option("--algorithm", algorithm_, "One of " + algorithm_names())
      ->type_name(kAlgorithmType)
      ->capture_default_str();
  command.add_option("--cost-model", cost_model_, "What the best plan is the best of: one of " + cost_model_names())
      ->type_name(kCostModelType)
      ->capture_default_str();
  command.add_flag("--straight", chosen_.straight, "One worker a stage, no replicas");
  command.add_flag("--use-all-workers", chosen_.use_all_workers, "Leave no worker idle, even where that is faster");
  command.add_option("--microbatches-per-update", chosen_.microbatches_per_update,
                     "Where the algorithm leaves it open (default: its own; of data-parallel one for each worker)");
  command.add_option("--stages-per-worker", chosen_.stages_per_worker,
                     "For interleaved-1f1b (default: the fastest of 2 to 8)");
  optimizer_.add_to(command);
}

PartitionOptions PlanningOptions::options() const {
  PartitionOptions options = chosen_;
  options.algorithm = parse_algorithm(algorithm_);
  options.cost_model = parse_cost_model(cost_model_);
  options.state_factors = optimizer_.state_factor();
  return options;
}

}  // namespace pipedream

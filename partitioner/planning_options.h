// The options of commands that plan: what for, and by which model.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>

#include "partitioner/link_options.h"
#include "pipedream/partition.h"

namespace pipedream {

class PlanningOptions {
 public:
  // --algorithm, --cost-model, --straight, --use-all-workers, --microbatches-per-update, --stages-per-worker,
  // --optimizer.
  void add_to(CLI::App& command);

  // Throws ConfigError for an unknown name.
  PartitionOptions options() const;

 private:
  OptimizerOption optimizer_;
  std::string algorithm_ = std::string(to_string(PartitionOptions().algorithm));
  std::string cost_model_ = std::string(to_string(PartitionOptions().cost_model));
  PartitionOptions chosen_;  // the rest
};

}  // namespace pipedream

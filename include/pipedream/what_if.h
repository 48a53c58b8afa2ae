// What a planner would answer if something were different: twice the workers, half the bandwidth, half the memory,
// another algorithm. Each answer is a plan of its own, predicted by its cost model and simulated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipedream/partition.h"

namespace pipedream {

struct WhatIfAnswer {
  std::string question;  // "as given", "twice the workers", "algorithm gpipe", ...
  Topology topology;     // what the plan was made for
  Algorithm algorithm = Algorithm::pipedream;
  std::optional<Plan> plan;  // none where nothing fits; then the rest is 0 or empty
  std::string why_not;
  double simulated_us = 0;        // steady-state time per microbatch of the simulation
  std::string limited_by;         // SimulationReport::limited_by
  double data_parallel_us = 0;    // per microbatch, simulated: bulk-synchronous, reductions after the backwards
  std::int64_t memory_bytes = 0;  // predicted, of the worker that needs most

  // Over data parallelism on the plan's workers: of the cost model (closed forms hide reductions behind compute), and
  // of the simulator, which reduces after the backwards.
  double predicted_speed_up() const;
  double simulated_speed_up() const;
};

// The first answer is to "as given". More workers are more components of the outermost level; less bandwidth is that
// of all levels. Without a limit of memory half of it is half of what the plan as given needs. Other algorithms are
// those of pipedream, pipedream-2bw, 1f1b-flush and data-parallel that options.algorithm is not; they have their
// default number of microbatches in an update, and cost_model where it can plan them. Throws ConfigError as partition
// does where there is no plan as given.
std::vector<WhatIfAnswer> what_if(const Profile& profile, const Topology& topology,
                                  const PartitionOptions& options = {});

// "15-1": replicas by stage; "8 straight": one each.
std::string plan_in_short(const Plan& plan);

}  // namespace pipedream

// How a model is cut into stages and which workers run them.
//
// The file is JSON with "format": "pipedream-plan"; a person can write one by hand: graph_hash, warmup (the default
// depth), reduce_delay (0), recompute (no), microbatches_per_update and the predictions may be left out. Reading is
// strict: ConfigError with FILE: FIELD, or FILE:LINE:COLUMN where the text is no JSON; an unknown field is refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipedream/algorithm.h"
#include "pipedream/profile.h"

namespace pipedream {

// What the planner expects of one replica of a stage, per microbatch that it handles; all 0 in a hand-written plan.
struct StagePrediction {
  double forward_us = 0;
  double backward_us = 0;
  double allreduce_us = 0;              // of one round's gradients
  std::int64_t send_forward_bytes = 0;  // to all later stages
  std::int64_t send_backward_bytes = 0;
  std::int64_t parameter_bytes = 0;
  // Peak of one worker for this stage: versions, gradients, optimizer, activations, buffers.
  std::int64_t memory_bytes = 0;
};

struct StagePlan {
  std::vector<std::string> layers;  // graph order
  std::vector<int> workers;         // one per replica; replica q handles microbatches k with k mod r = q
  int warmup = 0;                   // w(s): forwards before the first (forward, backward) pair
  int reduce_delay = 0;             // d: 0 or 1, see docs/algorithms.md
  bool recompute = false;           // keep a microbatch's inputs only, and repeat its forward before its backward
  StagePrediction prediction;

  int replicas() const { return static_cast<int>(workers.size()); }
};

// All by the same means: closed forms, or simulation where the cost model is `simulated`, which knows the best straight
// plan only of those that it came across.
struct PlanPrediction {
  double microbatch_us = 0;     // steady-state time per microbatch of the whole pipeline
  double single_worker_us = 0;  // the same for one worker that runs the whole model
  double data_parallel_us = 0;  // the same for bulk-synchronous data parallelism on the same workers
  double best_straight_us = 0;  // the same for the best plan without replicas on at most as many workers
  std::string bound_by;         // "compute of stage 1", "link from stage 0 to stage 1", ...
};

// What a proposal would take by simulation, with the depths that it came with.
struct SimulatedProposal {
  std::string name;          // "pipedream", "data parallelism", ...
  double microbatch_us = 0;  // 0: it was not simulated, since it cannot be faster or there was no time
};

// How the planner found the plan; cost_model is empty in a hand-written plan.
struct PlanSearch {
  std::string cost_model;    // pipedream/cost_model.h
  double bottleneck_us = 0;  // in that model: time per microbatch of the slowest stage or link
  std::int64_t states = 0;   // sets of layers that a cut could be made after, the empty one and the whole included
  std::string contraction;   // what was left out so that they are not too many; empty: nothing
  // Under the cost model `simulated`: the proposal that led to the plan, and all of them.
  std::string proposal = {};
  std::vector<SimulatedProposal> proposals = {};
};

// Which device of which server each worker has, by worker; both empty: not said. Servers are numbered from 0 on,
// devices in each server too.
struct PlanPlacement {
  std::vector<int> servers;
  std::vector<int> devices;

  bool empty() const { return servers.empty() && devices.empty(); }
};

struct Plan {
  std::string graph_hash;  // of the graph it was made for; empty in a hand-written plan: only the names are checked
  Algorithm algorithm = Algorithm::pipedream;
  // Microbatches one update covers where the algorithm leaves it open (data_parallel: the number of workers).
  // 0: the algorithm's default.
  std::int64_t microbatches_per_update = 0;
  std::vector<StagePlan> stages;
  std::vector<int> idle_workers;  // ascending: those among the others that have no stage
  PlanPlacement placement;
  PlanPrediction prediction;
  PlanSearch search;

  int workers() const;                                  // as numbered, from 0 on; each hosts a stage or several
  std::vector<int> stages_of_worker(int worker) const;  // ascending; empty: none
};

// w(S-1) = 0, w(s) = ceil(r_{s+1} (w(s+1) + 1) / r_s): the least depth at which no stage starves (SEMANTICS: straight
// over 4 gives 3, 2, 1, 0, PipeDream's NOAM).
std::vector<int> default_warmup(std::span<const int> replicas);

// The workers below the greatest one in a stage that are in none.
std::vector<int> workers_without_stage(const Plan& plan);

// Everything that can be said without the model: stages and layers not empty, no layer twice, workers 0..W-1 each once,
// in a stage or idle; a server and a device from 0 on for each of them where the placement is there;
// under interleaved_1f1b in turn: stage s, which has no replicas, on the worker of stage s mod W, as many on each, and
// microbatches_per_update a multiple of W; warmup >= 0, 0 in the last stage and where the algorithm has no depth, and
// such that no stage waits for ever: for s < t, r_t w(t) < r_s (w(s) + 1), with r_s w(s) + 1 on the right where
// replicas of s reduce without delay; reduce_delay in {0, 1}, 0 where a stage has one replica or the algorithm is
// synchronous; recompute only where backwards see the weights of their forwards; data_parallel has one stage,
// model_parallel no replicas; microbatches_per_update left 0 where the algorithm fixes it, in whole rounds of every
// stage without a flush, and no less than 2BW's depths need. Throws ConfigError naming stage and field.
void validate(const Plan& plan);

// The plan against the model: every layer of the graph in exactly one stage, no unknown layer, no tensor that flows to
// an earlier stage, layers of a stage in graph order, the loss in the last stage. Throws ConfigError naming the layer.
struct LayerEdges {
  std::string name;
  std::vector<std::string> producers;  // layers whose tensors this layer uses
};
void validate_against_layers(const Plan& plan, std::span<const LayerEdges> layers);

Plan read_plan(const std::filesystem::path& path);
void write_plan(const Plan& plan, const std::filesystem::path& path);

// The file's text, for instance to send or to compare it; `source` names it in messages.
Plan parse_plan(std::string_view json, const std::string& source);
std::string to_json(const Plan& plan);

// Forgets what was expected of the plan and its stages.
void clear_predictions(Plan& plan);

// The same stages on the same workers under another algorithm. Depths are kept where both have them, else set to the
// default; what the algorithm leaves no choice of, and predictions, are cleared. Throws ConfigError where the stages
// cannot run under it, or microbatches_per_update does not fit.
Plan with_algorithm(const Plan& plan, Algorithm algorithm);

// The plan that runs everything on `workers` replicas of one stage (1: a single worker).
Plan single_stage_plan(std::span<const std::string> layers, int workers, Algorithm algorithm);

}  // namespace pipedream

// From a plan to a program: the algorithms, and the lowering that adds communication.
//
// An algorithm is a pure function from plan, worker and microbatch count to the compute actions of that worker (F, B,
// U). Lowering adds sends, receives and reductions, each split into its post and its wait, and says which version is
// freed where and which update must copy (docs/algorithms.md holds the rules and their sources).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pipedream/plan.h"
#include "pipedream/program.h"

namespace pipedream {

// Stage `from` makes tensors that the later stage `to` uses. gradient: at least one of them needs a gradient back.
struct StageLink {
  int from = 0;
  int to = 0;
  bool gradient = true;

  bool operator==(const StageLink&) const = default;
};

// The links of a plan, from the tensors of a profile; sorted by (from, to).
std::vector<StageLink> stage_links(const Plan& plan, const Profile& profile);

enum class Pass {
  train,
  forward_only,  // evaluation: no backward, no update, version 0 everywhere
  probe,         // one forward and backward, no update; every link is taken to need a gradient
};

struct Segment {
  Pass pass = Pass::train;
  std::int64_t microbatches = 0;
};

// Microbatches that one update of stage s covers under the plan's algorithm: what the plan says, or by default 1 for
// model_parallel, one for each worker for data_parallel, four for each worker for gpipe, flush_1f1b and
// interleaved_1f1b; for pipedream always r_s.
std::int64_t microbatches_per_update(const Plan& plan, int stage);

// What a worker of the stage holds of it at most, in the steady state of a run that is long enough.
struct StageLoad {
  std::int64_t versions = 1;   // of the weights, the newest included
  std::int64_t in_flight = 1;  // microbatches between their forward and their backward
};
StageLoad stage_load(const Plan& plan, int stage);

// Updates of the stage between the weights of a microbatch's forward and the update that its gradient is part of, in
// the steady state; 0 under what flushes.
double update_delay(const Plan& plan, int stage);

// The compute actions of one worker, of all its stages, written out. The definition of the algorithm.
std::vector<Action> compute_actions(const Plan& plan, const Segment& segment, int worker);

// Slots of the channels between two stages, on different workers: how many messages may be posted and not yet waited
// for, at either end. The same for every pair of replicas and both directions, so a receiver holds at most this many
// receive buffers a channel.
int channel_slots(const Plan& plan, int from_stage, int to_stage);

// The lowered program of one worker, in time and space that do not depend on the number of microbatches. The links are
// those of stage_links (or by hand: from < to, each pair once). The plan must be valid (validate); throws ConfigError
// for a worker that it does not have.
WorkerProgram make_worker_program(const Plan& plan, std::span<const StageLink> links, const Segment& segment,
                                  int worker);

Program make_program(const Plan& plan, std::span<const StageLink> links, const Segment& segment);

// The worker that handles microbatch k (segment-local) in a stage.
int worker_of(const Plan& plan, int stage, std::int64_t microbatch);

}  // namespace pipedream

// Proof, before the first message, that a program can run: a replay of all workers with bounded channels.
//
// Model: a channel is one direction of a link between two workers. A send is complete when the matching receive has
// been posted (rendezvous: the weakest promise that any transport makes); the j-th message sent on a channel meets the
// j-th posted receive. A post never blocks, but more than channel_slots unfinished ones are refused. A reduction
// completes when all replicas of the stage have posted it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pipedream/schedule.h"

namespace pipedream {

struct ValidationReport {
  std::int64_t actions_replayed = 0;  // less than the program's size when the state recurred
  // By worker, of all its stages together: weight versions held, each stage's newest included, and microbatches between
  // forward and backward of a stage.
  std::vector<int> peak_versions;
  std::vector<int> peak_in_flight;
};

// Throws ConfigError with what is wrong, where (worker, position, action) and the surroundings: an action out of order,
// a message that does not match or is never waited for, too many posted, a version that is not present, an update that
// overwrites a version still named, a missing or doubled microbatch, a wait that never ends (every blocked worker with
// what it waits for).
ValidationReport validate(const Program& program, const Plan& plan, std::span<const StageLink> links,
                          const Segment& segment);

}  // namespace pipedream

// Interleaved 1F1B: the order in which a worker passes through its stages (Narayanan et al., SC'21, arXiv 2104.04473,
// section 2.2; the order is Megatron-LM's).
//
// Of p workers with v stages each, stage s is on worker s mod p. Microbatches go in groups of p. A worker passes
// forward with one group through its first stage, its second and so on to its last, then with the next group;
// backward the same from its last stage to its first. Within an update it does `warmup` forwards, then pairs of a
// forward and a backward, then the backwards that are left.
#pragma once

#include <cstdint>
#include <vector>

#include "pipedream/schedule.h"

namespace pipedream::detail {

class Interleaving {
 public:
  struct Pass {
    int stage = 0;
    std::int64_t microbatch = 0;  // from 0 in each update
  };

  // The plan must be valid and interleaved.
  Interleaving(const Plan& plan, int worker);

  // The j-th forward and the j-th backward. A last group of fewer than p microbatches leaves out the passes of those
  // that it lacks, and the others keep their order.
  Pass forward(std::int64_t j) const;
  Pass backward(std::int64_t j) const;

  // Of so many microbatches: passes of one direction, those of a last group's missing microbatches included.
  std::int64_t passes(std::int64_t microbatches) const;
  // Of that many passes: forwards before the first pair.
  std::int64_t warmup(std::int64_t passes) const;

  // The most microbatches between forward and backward in one of the worker's stages.
  std::int64_t most_in_flight(int stage) const;

 private:
  Pass pass(std::int64_t chunk, std::int64_t j) const;

  std::int64_t workers_;      // p
  std::int64_t chunks_;       // v
  std::int64_t first_stage_;  // q, the worker's place among the p
  std::int64_t per_update_;
};

// The compute actions of one worker of an interleaved plan.
std::vector<Action> interleaved_actions(const Plan& plan, const Segment& segment, int worker);

}  // namespace pipedream::detail

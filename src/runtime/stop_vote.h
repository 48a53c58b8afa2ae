// How all workers agree, without draining, to end a run early after the same microbatch.
//
// Workers run a fixed program, so a wish to stop (Ctrl-C) must become one number that all of them know before any acts
// on it. The run is divided into blocks of microbatches. At its first forward of a block a worker starts a sum of the
// wishes over all workers; half a block later it waits for that sum, which by then is there. A sum above zero ends the
// run at the end of the next block. The lead is longer than any two workers are apart, so the wait cannot deadlock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "pipedream/communicator.h"
#include "pipedream/plan.h"

namespace pipedream::detail {

class StopVote {
 public:
  // group: all workers; null where there is one, which then ends at once.
  StopVote(const Plan& plan, ReduceGroup* group, std::int64_t microbatches, std::function<bool()> wish);

  // Called before every forward of this worker, in order. A number: the run ends after that many microbatches.
  std::optional<std::int64_t> before_forward(std::int64_t microbatch);

 private:
  ReduceGroup* group_;
  std::function<bool()> wish_;
  std::int64_t microbatches_;
  std::int64_t lead_;
  std::int64_t block_;
  std::int64_t next_vote_ = 0;  // block whose vote this worker starts next
  bool pending_ = false;
  torch::Tensor wishes_;
  int workers_;
};

}  // namespace pipedream::detail

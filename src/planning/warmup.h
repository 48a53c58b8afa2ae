// The default warm-up depth of one stage.
#pragma once

namespace pipedream::detail {

// ceil(r_{s+1} (w(s+1) + 1) / r_s): with it the replicas of a stage have out what those of the next need at hand.
inline int default_stage_warmup(int replicas, int next_replicas, int next_warmup) {
  const int needed = next_replicas * (next_warmup + 1);
  return (needed + replicas - 1) / replicas;
}

}  // namespace pipedream::detail

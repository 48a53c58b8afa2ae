// The latency of a synchronous pipeline in DAPPLE's planner (Fan et al., PPoPP'21, section 4).
//
// From the paper: stages of compute and, between them, of communication, with F and B, forward and backward, of a
// microbatch; one of them, the pivot Q, is waited for by all others, and an update of M microbatches takes
// L = T_w + T_s + T_e:
//   T_w = sum of F up to and with Q: until the pivot has done its first forward;
//   T_s = (M - 1) (F_Q + B_Q): what the pivot does for all microbatches but one;
//   T_e = max over stages s of AR_s + (sum of B from s to Q where s <= Q, less the sum of B from Q to s behind it, both
//   ends in it): until the gradients of every stage are reduced.
// The pivot is the last stage, unless, from the back to the front, an earlier one is busy for longer than it and what
// is between them: (M - 1) (F_s + B_s) > (M - 1) (F_Q + B_Q) + sum of (F + B) between s and Q.
//
// Our reading: where both are equal the later stage stays the pivot, and communication has AR = 0. What F, B and AR are
// of a stage on several devices is in partitioner/dapple_costs.h.
#pragma once

#include <cstdint>
#include <span>

namespace pipedream::detail {

struct DappleStage {
  double forward_us = 0;  // of a microbatch, divided among the replicas
  double backward_us = 0;
  double allreduce_us = 0;  // 0: communication
};

// Of one update of M microbatches. At least one stage.
double dapple_latency_us(std::span<const DappleStage> stages, std::int64_t microbatches);

}  // namespace pipedream::detail

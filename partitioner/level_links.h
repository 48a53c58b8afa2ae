// The links of one level: how long bytes take, and the reduction of a stage's gradients.
#pragma once

#include <cstdint>

#include "pipedream/topology.h"

namespace pipedream::detail {

class LevelLinks {
 public:
  // A level without bandwidth (of one component) never sends anything.
  explicit LevelLinks(const TopologyLevel& level);

  // Both directions of a cut, one message each. The paper's 2 a / B where every tensor has a gradient and latency is 0.
  double transfer_us(std::int64_t forward_bytes, std::int64_t backward_bytes) const;
  // One round of a stage: 2 (m - 1) W / B, as in the paper; 2 (m - 1) / m * W / rate where the rate of a reduction was
  // measured, which then has its latency in it.
  double allreduce_us(std::int64_t parameter_bytes, int replicas) const;
  // T(m) = max(C, allreduce_us) / m.
  double stage_us(double compute_us, std::int64_t parameter_bytes, int replicas) const;

 private:
  double bytes_per_us_;
  double latency_us_;
  double reduced_bytes_per_us_ = 0;  // 0: not measured
};

}  // namespace pipedream::detail

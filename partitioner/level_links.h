// The links of one level: how long bytes take, and the reduction of a stage's gradients.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "pipedream/topology.h"

namespace pipedream::detail {

class LevelLinks {
 public:
  // A level without bandwidth (of one component) never sends anything.
  explicit LevelLinks(const TopologyLevel& level)
      : bytes_per_us_(level.bandwidth_bytes_per_s > 0 ? level.bandwidth_bytes_per_s / 1e6
                                                      : std::numeric_limits<double>::infinity()),
        latency_us_(level.latency_us),
        reduced_bytes_per_us_(level.allreduce_bytes_per_s / 1e6) {}

  // Both directions of a cut, one message each. The paper's 2 a / B where every tensor has a gradient and latency is 0.
  double transfer_us(std::int64_t forward_bytes, std::int64_t backward_bytes) const {
    const int messages = (forward_bytes > 0) + (backward_bytes > 0);
    const double bytes = static_cast<double>(forward_bytes) + static_cast<double>(backward_bytes);
    return bytes / bytes_per_us_ + messages * latency_us_;
  }
  // One round of a stage: 2 (m - 1) W / B, as in the paper; 2 (m - 1) / m * W / rate where the rate of a reduction was
  // measured, which then has its latency in it.
  double allreduce_us(std::int64_t parameter_bytes, int replicas) const {
    if (replicas == 1 || parameter_bytes == 0) return 0;
    const double steps = 2.0 * (replicas - 1);
    const auto bytes = static_cast<double>(parameter_bytes);
    if (reduced_bytes_per_us_ > 0) return steps * bytes / (replicas * reduced_bytes_per_us_);
    return steps * (bytes / bytes_per_us_ + latency_us_);
  }
  // T(m) = max(C, allreduce_us) / m.
  double stage_us(double compute_us, std::int64_t parameter_bytes, int replicas) const {
    return std::max(compute_us, allreduce_us(parameter_bytes, replicas)) / replicas;
  }

 private:
  double bytes_per_us_;
  double latency_us_;
  double reduced_bytes_per_us_ = 0;  // 0: not measured
};

}  // namespace pipedream::detail

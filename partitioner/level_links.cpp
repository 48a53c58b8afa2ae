#include "partitioner/level_links.h"

#include <algorithm>
#include <limits>

namespace pipedream::detail {

LevelLinks::LevelLinks(const TopologyLevel& level)
    : bytes_per_us_(level.bandwidth_bytes_per_s > 0 ? level.bandwidth_bytes_per_s / 1e6
                                                    : std::numeric_limits<double>::infinity()),
      latency_us_(level.latency_us),
      reduced_bytes_per_us_(level.allreduce_bytes_per_s / 1e6) {}

double LevelLinks::transfer_us(std::int64_t forward_bytes, std::int64_t backward_bytes) const {
  const int messages = (forward_bytes > 0) + (backward_bytes > 0);
  const double bytes = static_cast<double>(forward_bytes) + static_cast<double>(backward_bytes);
  return bytes / bytes_per_us_ + messages * latency_us_;
}

double LevelLinks::allreduce_us(std::int64_t parameter_bytes, int replicas) const {
  if (replicas == 1 || parameter_bytes == 0) return 0;
  const double steps = 2.0 * (replicas - 1);
  const auto bytes = static_cast<double>(parameter_bytes);
  if (reduced_bytes_per_us_ > 0) return steps * bytes / (replicas * reduced_bytes_per_us_);
  return steps * (bytes / bytes_per_us_ + latency_us_);
}

double LevelLinks::stage_us(double compute_us, std::int64_t parameter_bytes, int replicas) const {
  return std::max(compute_us, allreduce_us(parameter_bytes, replicas)) / replicas;
}

}  // namespace pipedream::detail
